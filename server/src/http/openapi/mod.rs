//! What an endpoint group needs to describe itself in OpenAPI. `openapi_document.rs` makes the document.

pub mod operation;
pub mod schemas;
