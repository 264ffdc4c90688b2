//! HTTP: axum's router, the middleware and one module per endpoint group.

pub mod address;
pub mod app;
pub mod assets;
mod auth;
pub mod client_disconnect;
mod dev_access;
pub mod endpoint;
mod error;
mod error_page;
pub(crate) mod extract;
mod form_fields;
mod guard;
pub mod known_addresses;
pub mod metric_names;
mod middleware;
mod negotiation;
mod openapi;
pub mod openapi_document;
pub mod openapi_responses;
mod pages;
pub mod path_prefix;
mod problem;
mod rate_limit;
mod refresh_cookie;
mod refusal_audit;
mod refused_origins;
mod request_log;
mod response;
pub mod routes;
pub mod unlisted_proxies;

pub use account::export_json;
pub use admin::{account_json, dead_letter_json, delivery_json, event_json, issued_json, webhook_json};
pub use error::NoPlace;
pub use pages::rfc3339;
pub use profile::ProfileResponse;
pub use sessions::session_json;

// endpoint groups
mod account;
mod admin;
mod admin_caller;
mod clients;
pub mod demo;
mod devices;
mod docs;
mod enrolment;
mod factors;
mod logins;
mod mailbox;
mod passkeys;
mod passwords;
mod phones;
mod profile;
mod recovery;
mod registration;
mod second_factors;
mod sessions;
mod start_page;
pub mod system;
#[cfg(feature = "testkit")]
mod test_control;
mod well_known;
