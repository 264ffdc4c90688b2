//! The test kit: a fake and a contract for every port (same file names), a whole world of fakes, samples and
//! strategies. Compiled with the feature `testing` only, which an adapter from another repository can switch on too.

/// The examples of the guide are run with this crate's own.
#[cfg(doctest)]
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

pub mod contract;
pub mod life;
pub mod strategies;
