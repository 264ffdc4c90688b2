//! The types by which an endpoint group describes itself in OpenAPI. `openapi_document.rs` makes the document.

pub mod components;
pub mod operation;
pub mod schemas;
pub mod tags;
