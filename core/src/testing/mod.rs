//! The test kit: a fake and a contract for every port (same file names), a whole world of fakes, samples and
//! strategies. Published under the feature `testing`, so that an adapter from outside can prove itself too.

/// The examples of the guide are run with this crate's own.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;

mod locked;
mod mixer;

pub mod fakes;
pub mod faults;
pub mod snapshot;
pub mod world;

pub mod samples;
pub mod strategies;

pub mod contract;
pub mod life;
pub mod race;
