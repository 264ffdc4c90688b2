//! Targets for fuzzing: each takes bytes that a stranger, an operator or a database may give, and panics where an invariant
//! is broken. `tests/fuzz.rs` runs them on the stable toolchain.

pub mod engine;
pub mod over_http;
pub mod passkeys;
pub mod settings;
pub mod tokens;
pub mod values;

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("email", values::email),
    ("phone", values::phone),
    ("password_strength", values::password_strength),
    ("access_token", tokens::access_token),
    ("refresh_token", tokens::refresh_token),
    ("phc_string", tokens::phc_string),
    ("passkey_creation", passkeys::passkey_creation),
    ("passkey_signature", passkeys::passkey_signature),
    ("forwarded", settings::forwarded),
    ("dotenv", settings::dotenv),
    ("template", settings::template),
    ("json_body", over_http::json_body),
    ("form_body", over_http::form_body),
    ("headers", over_http::headers),
];
