//! The fields of a body or query. A duplicate field or a body that is not an object is malformed; missing, unknown and
//! wrongly typed fields are reported together.

use std::fmt;

use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::secret::SecretString;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use zeroize::Zeroize as _;

use crate::http::problem::Problem;

/// Several times what any endpoint takes.
const MAX_FIELDS: usize = 64;

/// Fields that hold a secret of a person or a client: a handler takes them with `secret` only.
const SECRETS: [&str; 10] = [
    "password",
    "current_password",
    "token",
    "mfa_token",
    "enrolment_token",
    "device_token",
    "refresh_token",
    "otp",
    "code",
    "client_secret",
];

/// Fields by name. A handler takes those it knows; the rest is reported as unknown. `Debug` shows the names only, and
/// values that no handler took are wiped when dropped.
#[derive(Default)]
pub struct FormFields {
    values: Vec<(String, Value)>,
    violations: Vec<Violation>,
}

impl FormFields {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// `malformed_request` if it is not JSON, not an object, or has a member twice.
    pub fn from_json(body: &[u8]) -> Result<Self, Problem> {
        // serde would repeat another value in its error, and that value may be personal
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::malformed("the body is not a JSON object"));
        }
        serde_json::from_slice(body).map_err(|error| {
            Problem::malformed(match error.classify() {
                Category::Data => error.to_string(),
                _ => format!("the body is not JSON (line {}, column {})", error.line(), error.column()),
            })
        })
    }

    /// Reads `a=b&c=d`.
    ///
    /// # Errors
    /// `malformed_request` if it is not UTF-8 or has a field twice.
    pub fn from_form(form: &[u8]) -> Result<Self, Problem> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(form) {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::malformed("the form is not UTF-8"));
            }
            fields.insert(name.into_owned(), Value::String(value.into_owned())).map_err(Problem::malformed)?;
        }
        Ok(fields)
    }

    /// Adds the fields of another source.
    ///
    /// # Errors
    /// `malformed_request` if both have a field.
    pub fn merge(mut self, mut other: Self) -> Result<Self, Problem> {
        for (name, value) in std::mem::take(&mut other.values) {
            self.insert(name, value).map_err(Problem::malformed)?;
        }
        Ok(self)
    }

    fn insert(&mut self, name: String, value: Value) -> Result<(), &'static str> {
        if self.values.len() == MAX_FIELDS {
            return Err("there are too many members");
        }
        if self.has(&name) {
            return Err("a member is named twice");
        }
        self.values.push((name, value));
        Ok(())
    }

    /// Whether a field is there that no handler has taken yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| known == name)
    }

    /// Whether a field has a text that is not empty.
    #[must_use]
    pub fn is_filled(&self, name: &str) -> bool {
        self.values.iter().any(|(known, value)| known == name && value.as_str().is_some_and(|text| !text.is_empty()))
    }

    /// All fields, for handlers that take nested values.
    #[cfg(feature = "testkit")]
    #[must_use]
    pub fn into_map(mut self) -> serde_json::Map<String, Value> {
        std::mem::take(&mut self.values).into_iter().collect()
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.values.iter().position(|(seen, _)| seen == name)?;
        Some(self.values.swap_remove(at).1)
    }

    /// An optional string; another type is reported as `wrong_type`.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        debug_assert!(!SECRETS.contains(&name), "{name} is a secret");
        self.string(name)
    }

    /// An optional string that is a secret.
    pub fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        debug_assert!(SECRETS.contains(&name), "{name} is no secret");
        self.string(name).map(SecretString::new)
    }

    /// A copy of a secret that stays among the fields.
    #[must_use]
    pub fn peek_secret(&self, name: &'static str) -> Option<SecretString> {
        debug_assert!(SECRETS.contains(&name), "{name} is no secret");
        let (_, value) = self.values.iter().find(|(known, _)| known == name)?;
        value.as_str().map(SecretString::new)
    }

    /// An optional object, as JSON; in a form a text with that JSON.
    pub fn object(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            object @ Value::Object(_) => return Some(object.to_string()),
            Value::String(text) if text.starts_with('{') => return Some(text),
            _ => self.violations.push(Violation::with_message(name, Code::WrongType, "must be an object")),
        }
        None
    }

    fn string(&mut self, name: &'static str) -> Option<String> {
        if let Value::String(text) = self.take(name)? {
            return Some(text);
        }
        self.violations.push(Violation::with_message(name, Code::WrongType, "must be a string"));
        None
    }

    /// A required string; empty if it is missing, which `finish` reports.
    pub fn required_text(&mut self, name: &'static str) -> String {
        if !self.has(name) {
            self.violations.push(Violation::new(name, Code::Required));
        }
        self.text(name).unwrap_or_default()
    }

    /// A required string that is a secret; empty if it is missing, which `finish` reports.
    pub fn required_secret(&mut self, name: &'static str) -> SecretString {
        if !self.has(name) {
            self.violations.push(Violation::new(name, Code::Required));
        }
        self.secret(name).unwrap_or_else(|| SecretString::new(""))
    }

    /// A required list of strings; empty if it is missing, which `finish` reports.
    pub fn required_texts(&mut self, name: &'static str) -> Vec<String> {
        let Some(value) = self.take(name) else {
            self.violations.push(Violation::new(name, Code::Required));
            return Vec::new();
        };
        serde_json::from_value(value).unwrap_or_else(|_| {
            self.violations.push(Violation::with_message(name, Code::WrongType, "must be a list of strings"));
            Vec::new()
        })
    }

    /// A required boolean; in a form the string `true` or `false`.
    pub fn required_flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            Some(Value::Bool(flag)) => return flag,
            Some(Value::String(text)) if text == "true" || text == "false" => return text == "true",
            Some(_) => self.violations.push(Violation::with_message(name, Code::WrongType, "must be true or false")),
            None => self.violations.push(Violation::new(name, Code::Required)),
        }
        false
    }

    /// An optional boolean, false by default.
    pub fn flag(&mut self, name: &'static str) -> bool {
        self.has(name) && self.required_flag(name)
    }

    /// Adds a violation that the handler found.
    pub fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// All violations; fields that the handler did not take are unknown.
    #[must_use]
    pub fn violations(mut self) -> Vec<Violation> {
        let unknown = self.values.iter().map(|(name, _)| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            Violation::new(name, Code::UnknownField)
        });
        self.violations.extend(unknown);
        std::mem::take(&mut self.violations)
    }

    /// Fails if there is a violation.
    ///
    /// # Errors
    /// `validation_failed` with all violations.
    pub fn finish(self) -> Result<(), Problem> {
        let violations = self.violations();
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid(violations)) }
    }

    /// Fails if there is a violation other than unknown fields, which RFC 6749 (section 3.2) says to ignore, and which
    /// mail services add to links (`utm_source`).
    ///
    /// # Errors
    /// `validation_failed` with all violations.
    pub fn finish_ignoring_unknown(mut self) -> Result<(), Problem> {
        self.wipe();
        self.finish()
    }
}

impl FormFields {
    fn wipe(&mut self) {
        for (_, value) in &mut self.values {
            wipe(value);
        }
        self.values.clear();
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Drop for FormFields {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for FormFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(name, _)| name)).finish()
    }
}

/// `serde_json::Map` would keep the last of two members with one name.
impl<'de> Deserialize<'de> for FormFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = FormFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FormFields, A::Error> {
        let mut fields = FormFields::default();
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value).map_err(serde::de::Error::custom)?;
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(fields: FormFields) -> Vec<(String, Code)> {
        fields.violations().iter().map(|violation| (violation.field.to_string(), violation.code)).collect()
    }

    #[test]
    fn all_violations_are_reported_together() {
        let mut fields = FormFields::from_json(br#"{"email":7,"is_email_verified":true,"sms":"yes"}"#).unwrap();
        assert_eq!(fields.required_text("email"), "");
        assert_eq!(fields.required_text("phone"), "");
        assert!(!fields.required_flag("sms"));
        assert_eq!(
            codes(fields),
            [
                ("email".to_owned(), Code::WrongType),
                ("phone".to_owned(), Code::Required),
                ("sms".to_owned(), Code::WrongType),
                ("is_email_verified".to_owned(), Code::UnknownField),
            ]
        );
    }

    #[test]
    fn values_are_never_shown() {
        let fields = FormFields::from_json(br#"{"password":"marked","nested":{"otp":["marked"]}}"#).unwrap();
        assert_eq!(format!("{fields:?}"), r#"["password", "nested"]"#);
        let mut fields = FormFields::from_form(b"password=marked").unwrap();
        let password = fields.required_secret("password");
        assert_eq!((password.expose(), format!("{password:?}").contains("marked")), ("marked", false));
        let mut nested = serde_json::json!({"a": ["marked", {"b": "marked"}]});
        wipe(&mut nested);
        assert_eq!(nested, serde_json::json!({"a": ["", {"b": ""}]}));
    }

    #[test]
    #[should_panic(expected = "password is a secret")]
    fn a_secret_is_not_taken_as_text() {
        let _ = FormFields::default().text("password");
    }

    #[test]
    fn a_body_that_is_not_a_plain_object_is_malformed() {
        for body in ["", "{", "[]", "\"secret\"", "7", "null", r#"{"a":1,"a":2}"#, r#"{"a":"\ud800"}"#, "{}x"] {
            let problem = FormFields::from_json(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code, Code::MalformedRequest, "{body}");
            assert!(!problem.detail.unwrap_or_default().contains("secret"), "{body}");
        }
        assert!(FormFields::from_json(&[b'[', b'{'].repeat(40_000)).is_err());
        assert!(FormFields::from_form(b"a=1&a=2").is_err());
        assert!(FormFields::from_form(b"a=%ff").is_err());
        let many = (0..65).fold(String::new(), |form, n| form + &format!("a{n}=&"));
        assert!(FormFields::from_form(many.as_bytes()).is_err());
    }
}
