//! The test kit: a fake, a mock and contract cases for every port; the account model, fault scripts, strategies of hostile
//! input. An adapter of another repository is tested with it.
//!
//! State is faked. Interactions ("this port fails here", "must not be called") use [`mocks`].

/// The guide's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct Guide;

mod fake_mac;
#[cfg(test)]
mod faulty_token_store;
mod locked;

pub mod account_model;
pub mod contract;
pub mod fakes;
pub mod faults;
pub mod mocks;
pub mod race;
pub mod samples;
pub mod snapshot;
pub mod strategies;
pub mod world;
