//! The test kit: a fake and a contract for every port (same file names), a whole world of fakes, samples and
//! strategies. Published under the feature `testing`, so that an adapter from outside can prove itself too. A debug
//! build has a part of it without the feature: what needs no crate of its own, and what `portcullis testkit` runs on.

/// The examples of the guide are run with this crate's own.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;

#[cfg(test)]
pub(crate) mod faulty_token_store;
mod locked;
mod mixer;

pub mod fakes;
pub mod faults;
pub mod race;
pub mod samples;
pub mod snapshot;
pub mod world;

// what draws its cases needs proptest
#[cfg(any(test, feature = "testing"))]
pub mod contract;
#[cfg(any(test, feature = "testing"))]
pub mod life;
#[cfg(any(test, feature = "testing"))]
pub mod strategies;
