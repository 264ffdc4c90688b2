//! The Portcullis server: configuration, composition, HTTP and the command line around the domain.

pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod connections;
pub mod http;
pub mod request_body;
pub mod serve;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tls;
mod traces;
pub mod worker;
