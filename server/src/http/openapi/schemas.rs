//! The schemas that several endpoint groups use.

use serde_json::{Value, json};

const EMAIL: &str = "john.doe@example.com";
const PASSWORD: &str = "harbour-tulip-42-Window";
const PHONE: &str = "+1234567890";
const OTP: &str = "123456";
const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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
    json!({"type": "string", "pattern": format!("^{prefix}_[0-9a-f]{{32}}$"), "examples": [format!("{prefix}_00112233445566778899aabbccddeeff")]})
}

pub fn password() -> Value {
    let about =
        "8 to 256 characters (as configured), any Unicode, not easy to guess, in no list of breached passwords.";
    json!({"type": "string", "format": "password", "description": about, "examples": [PASSWORD]})
}

/// The password of an account, which is not measured.
pub fn known_password(about: &str) -> Value {
    json!({"type": "string", "format": "password", "description": about, "examples": [PASSWORD]})
}

/// An address that may be any text, because what is no address belongs to no account.
pub fn username() -> Value {
    example("The e-mail address.", EMAIL)
}

/// The token of a link or challenge.
pub fn token(about: &str) -> Value {
    example(about, TOKEN)
}

/// The code of a verification mail.
pub fn code() -> Value {
    example("The six characters of the mail, in either case.", "K7MXPQ")
}

/// A text that has one value.
pub fn only(value: &str) -> Value {
    json!({"type": "string", "const": value})
}

/// The value that viewers show for a parameter of that name.
#[must_use]
pub fn parameter_example(name: &str) -> Option<&'static str> {
    match name {
        "email" => Some(EMAIL),
        "token" => Some(TOKEN),
        "otp" => Some(OTP),
        _ => None,
    }
}

/// The roles of an account.
pub fn roles() -> Value {
    json!({"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,31}$"}, "maxItems": 32})
}

pub fn first_name() -> Value {
    example("1 to 100 characters of any script.", "John")
}

pub fn last_name() -> Value {
    example("Up to 100 characters of any script; empty or missing for a person with one name.", "Doe")
}

pub fn email() -> Value {
    json!({"type": "string", "format": "email", "examples": [EMAIL]})
}

pub fn phone() -> Value {
    example("E.164.", PHONE)
}

pub fn country_code() -> Value {
    example("ISO 3166-1 alpha-2 or a dial code; must agree with the phone.", "US")
}

pub fn otp() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{6}$", "examples": [OTP]})
}
