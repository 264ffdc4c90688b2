//! An account's life by the rules of docs/http-api.md: a reference model that runs against the service, over fakes, real
//! stores or HTTP. A [`Driver`] runs it, in terms of a client's view: answers and messages.
//!
//! The model never looks inside. It keeps every state of the service that fits the observations so far: after a
//! request that a failed port cut short these are several (each step of the use case may have been the last), and
//! later observations tell them apart. A run fails when no state is left that explains an answer, a message or the
//! validity of a token.

mod account;
mod bind;
mod driver;
mod history;
mod machine;
mod model_run;
mod over_service;
mod probes;
mod rules;
mod service_factors;
mod state;
mod step_requests;
mod steps;

#[cfg(test)]
mod tests;

pub use driver::{Answer, Driver, Probe, Refusal, Request, Seen, SentMessage, TestRealm};
pub use machine::{Harness, ModelReference, ModelTest, ReferenceState, Waiting, run_model};
pub use model_run::{ModelRun, RunStats};
pub use over_service::{Post, ServiceDriver, WorldDriver};
pub use steps::Step;
