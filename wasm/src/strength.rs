//! Password strength, with the person's own words counted against it. Texts are in the normal form that
//! `validators::password_policy` gives.

use portcullis_core::model::password::{self, PasswordRules};
use portcullis_core::model::registration_form::password_violation;
use portcullis_core::model::strength::{self, StrengthContext};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::rows;

/// Unpacks the lists of words.
#[wasm_bindgen]
pub fn prepare() {
    strength::prepare();
}

/// Score and power of ten, then code and sentence of the warning (empty where there is none) and of each suggestion.
#[wasm_bindgen]
#[must_use]
pub fn estimate(password: &str, names: Vec<String>, email: &str, app_name: &str, current_year: i32) -> Vec<JsValue> {
    let estimate = strength::estimate(password, &context(&names, email, app_name, current_year));
    let numbers = [f64::from(estimate.score), estimate.guesses_log10].map(JsValue::from_f64);
    let warning = estimate.warning.map_or(["", ""], |warning| [warning.code(), warning.text()]);
    let suggestions = estimate.suggestions.iter().flat_map(|suggestion| [suggestion.code(), suggestion.text()]);
    numbers.into_iter().chain(warning.into_iter().chain(suggestions).map(JsValue::from_str)).collect()
}

/// The reasons why a password is weak.
#[wasm_bindgen]
#[must_use]
pub fn weakness(
    password: &str,
    min_score: u8,
    names: Vec<String>,
    email: &str,
    app_name: &str,
    current_year: i32,
) -> Vec<String> {
    let rules = PasswordRules { min_score, ..PasswordRules::nist_mfa() };
    let weakness = password::weakness(password, &rules, &context(&names, email, app_name, current_year));
    rows::of(weakness.map_or(Ok(()), |error| Err(vec![password_violation(&error)])), |()| Vec::new())
}

/// The default of the score a password needs.
#[wasm_bindgen]
#[must_use]
pub fn default_score() -> u8 {
    PasswordRules::nist_mfa().min_score
}

fn context(names: &[String], email: &str, app_name: &str, current_year: i32) -> StrengthContext {
    StrengthContext::new(&names.iter().map(String::as_str).collect::<Vec<_>>(), Some(email), app_name, current_year)
}
