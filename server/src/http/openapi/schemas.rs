//! The schemas of the document: those of the endpoint groups and what they share.

use portcullis_core::model::code::Code;
use serde_json::{Map, Value, json};

#[cfg(feature = "testkit")]
use crate::http::test_control;
use crate::http::{account, clients, logins, mailbox, passwords, phones, profile, registration, sessions, system};

/// All schemas, by name.
pub fn all() -> Value {
    let mut all = Map::new();
    for group in [
        registration::schemas(),
        logins::schemas(),
        phones::schemas(),
        passwords::schemas(),
        profile::schemas(),
        sessions::schemas(),
        account::schemas(),
        clients::schemas(),
        system::schemas(),
        mailbox::schemas(),
        #[cfg(feature = "testkit")]
        test_control::schemas(),
        problems(),
        json!({"Message": object(&["message"], json!({"message": text("For people.")})), "Any": {"type": "object"}}),
    ] {
        if let Value::Object(group) = group {
            all.extend(group);
        }
    }
    Value::Object(all)
}

fn problems() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let violation = object(
        &["field", "code", "message"],
        json!({"field": text("The member."), "code": {"$ref": "#/components/schemas/Code"}, "message": text("For people; never the value.")}),
    );
    let members = json!({
        "type": {"type": "string", "format": "uri-reference"}, "title": text("The code in a sentence."), "status": {"type": "integer"},
        "detail": text("This time."), "code": {"$ref": "#/components/schemas/Code"}, "request_id": text("For whoever reads the log."),
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Violation"}},
    });
    let required = ["type", "title", "status", "detail", "code", "request_id"];
    json!({
        "Code": {"type": "string", "enum": codes, "description": "Stable."},
        "Violation": violation,
        "Problem": form(&required, members),
        "OAuthProblem": json!({"allOf": [{"$ref": "#/components/schemas/Problem"}, form(&["error", "error_description"], json!({
            "error": text("RFC 6749's word."), "error_description": text("For people."),
            "mfa_token": text("With `mfa_required`: the challenge."), "methods": {"type": "array", "items": {"const": "sms"}}, "expires_in": {"type": "integer"},
        }))]}),
    })
}

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
    example("1 to 100 characters of any script.", "Doe")
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
