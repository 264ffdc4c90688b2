//! The schemas that several endpoint groups use.

use serde_json::{Value, json};

/// An object without other members.
#[expect(clippy::needless_pass_by_value, reason = "callers pass literals")]
pub fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

/// An object with any other members.
#[expect(clippy::needless_pass_by_value, reason = "callers pass literals")]
pub fn form(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

pub fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn example(about: &str, example: &str) -> Value {
    json!({"type": "string", "description": about, "examples": [example]})
}

pub fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// An id with that prefix.
pub fn id(prefix: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{prefix}_[0-9a-f]{{32}}$")})
}

pub fn password() -> Value {
    let about =
        "8 to 256 characters (as configured), any Unicode, not easy to guess, in no list of breached passwords.";
    json!({"type": "string", "format": "password", "description": about})
}

pub fn first_name() -> Value {
    example("1 to 100 characters of any script.", "John")
}

pub fn last_name() -> Value {
    example("Up to 100 characters of any script; empty or missing for a person with one name.", "Doe")
}

pub fn email() -> Value {
    json!({"type": "string", "format": "email", "examples": ["john.doe@example.com"]})
}

pub fn phone() -> Value {
    example("E.164.", "+1234567890")
}

pub fn country_code() -> Value {
    example("ISO 3166-1 alpha-2 or a dial code; must agree with the phone.", "US")
}

pub fn otp() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{6}$"})
}
