//! The `idna` crate gives the same answers about domains with the compact tables as with ICU4X. The answers with ICU4X are
//! recorded, and checked in the server's workspace (`tests/parity`).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

#[path = "domains/answers.rs"]
mod answers;

#[test]
fn answers_match_icu() {
    answers::check();
}
