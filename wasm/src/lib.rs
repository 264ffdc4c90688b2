//! Core's values through `wasm-bindgen`, a line a function and no rule of its own. Each returns a row: text that
//! `wasm/npm/api` turns into objects.

#![expect(clippy::needless_pass_by_value, reason = "what comes from a page is owned by the function it is handed to")]

mod rows;
#[cfg(feature = "strength")]
pub mod strength;
#[cfg(feature = "validators")]
pub mod validators;
