//! A whole server for tests: the real composition on a real port with real storage in a folder of its own, and a
//! clock that the test moves. Requests go over a socket and read like the API.

pub mod account_model_over_http;
pub mod api;
pub mod fault_proxy;
pub mod index_rotation;
pub mod passkey_mistakes;
pub mod process;
pub mod record_macs;
pub mod rotation;
pub mod seed_data;
pub mod server;
pub mod smtp_server;
mod store_snapshot;
pub mod testkit;
pub mod tls_proxy;
pub mod twilio_stub;
pub mod watchman_stub;
pub mod webhook_receiver;

pub use api::{Answer, Api, Person};
pub use server::{TestServer, on_servers, settings};
