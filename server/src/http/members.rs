//! The members of a body or query: read once, complete in what they complain about. Duplicates and what is no object
//! are malformed; missing, unknown and wrongly typed members are named all at once.

use std::fmt;

use portcullis_core::model::code::{Code, Violation};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::http::problem::Problem;

/// More members than any endpoint knows, several times over.
const MOST: usize = 64;
const TOO_MANY: &str = "there are too many members";

/// Named values that are taken one by one; what nobody takes is unknown.
#[derive(Debug, Default)]
pub struct Members {
    values: Vec<(String, Value)>,
    violations: Vec<Violation>,
}

impl Members {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// `malformed_request` for what is not JSON, not an object, or names a member twice.
    pub fn from_json(body: &[u8]) -> Result<Self, Problem> {
        let Pairs(values) = serde_json::from_slice(body).map_err(|error| {
            let detail = match error.classify() {
                serde_json::error::Category::Data => error.to_string(),
                _ => format!("the body is not JSON (line {}, column {})", error.line(), error.column()),
            };
            Problem::malformed(detail)
        })?;
        Ok(Self { values, violations: Vec::new() })
    }

    /// Reads `a=b&c=d`.
    ///
    /// # Errors
    /// `malformed_request` for what is not UTF-8 or names a member twice.
    pub fn from_form(form: &[u8]) -> Result<Self, Problem> {
        let mut values: Vec<(String, Value)> = Vec::new();
        for (name, value) in form_urlencoded::parse(form) {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::malformed("the form is not UTF-8"));
            }
            if values.len() == MOST {
                return Err(Problem::malformed(TOO_MANY));
            }
            if values.iter().any(|(seen, _)| *seen == name) {
                return Err(Problem::malformed("a member is named twice"));
            }
            values.push((name.into_owned(), Value::String(value.into_owned())));
        }
        Ok(Self { values, violations: Vec::new() })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds those of another place; a member in both is malformed.
    ///
    /// # Errors
    /// `malformed_request`.
    pub fn and(mut self, other: Self) -> Result<Self, Problem> {
        if other.values.iter().any(|(name, _)| self.values.iter().any(|(seen, _)| seen == name)) {
            return Err(Problem::malformed("a member is named twice"));
        }
        self.values.extend(other.values);
        self.violations.extend(other.violations);
        Ok(self)
    }

    /// All of them, for who takes them otherwise.
    #[cfg(feature = "testkit")]
    #[must_use]
    pub fn into_map(self) -> serde_json::Map<String, Value> {
        self.values.into_iter().collect()
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.values.iter().position(|(seen, _)| seen == name)?;
        Some(self.values.swap_remove(at).1)
    }

    /// A text that may be missing; anything else by that name is a `wrong_type`.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        if let Value::String(text) = self.take(name)? {
            return Some(text);
        }
        self.violations.push(Violation::with_message(name, Code::WrongType, "must be a string"));
        None
    }

    /// A text that must be there; an empty stand-in where it is not, for `finish` refuses then.
    pub fn required_text(&mut self, name: &'static str) -> String {
        let missing = self.values.iter().all(|(seen, _)| seen != name);
        if missing {
            self.violations.push(Violation::new(name, Code::Required));
        }
        self.text(name).unwrap_or_default()
    }

    /// A truth value that must be there; forms write `true` and `false`.
    pub fn required_flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            Some(Value::Bool(flag)) => return flag,
            Some(Value::String(text)) if text == "true" || text == "false" => return text == "true",
            Some(_) => self.violations.push(Violation::with_message(name, Code::WrongType, "must be true or false")),
            None => self.violations.push(Violation::new(name, Code::Required)),
        }
        false
    }

    /// A truth value that may be missing.
    pub fn flag(&mut self, name: &'static str) -> bool {
        self.values.iter().any(|(seen, _)| seen == name) && self.required_flag(name)
    }

    /// A violation the caller found.
    pub fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Everything that is wrong so far; members nobody took are unknown.
    #[must_use]
    pub fn violations(mut self) -> Vec<Violation> {
        let unknown = self.values.iter().map(|(name, _)| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            Violation::new(name, Code::UnknownField)
        });
        self.violations.extend(unknown);
        self.violations
    }

    /// Refuses if anything is wrong.
    ///
    /// # Errors
    /// `validation_failed` with all of it.
    pub fn finish(self) -> Result<(), Problem> {
        let violations = self.violations();
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid(violations)) }
    }

    /// Refuses if anything is wrong but unknown members, which OAuth says to ignore.
    ///
    /// # Errors
    /// `validation_failed` with all of it.
    pub fn finish_ignoring_unknown(mut self) -> Result<(), Problem> {
        self.values.clear();
        self.finish()
    }
}

/// An object's members in order; a name that comes twice is an error.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if pairs.len() == MOST {
                        return Err(serde::de::Error::custom(TOO_MANY));
                    }
                    if pairs.iter().any(|(seen, _)| *seen == name) {
                        return Err(serde::de::Error::custom("a member is named twice"));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        // `deserialize_map` tells an array or a text from an object without echoing its value
        deserializer.deserialize_any(OnlyMap(PairsVisitor))
    }
}

/// Hands maps on and refuses everything else without repeating it.
struct OnlyMap<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for OnlyMap<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<V::Value, E> {
        Err(E::custom("the body is a string, not an object"))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> Result<V::Value, A::Error> {
        Err(serde::de::Error::custom("the body is an array, not an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(members: Members) -> Vec<(String, Code)> {
        members.violations().iter().map(|violation| (violation.field.to_string(), violation.code)).collect()
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut members = Members::from_json(br#"{"email":7,"is_email_verified":true,"sms":"yes"}"#).unwrap();
        assert_eq!(members.required_text("email"), "");
        assert_eq!(members.required_text("phone"), "");
        assert!(!members.required_flag("sms"));
        assert_eq!(
            codes(members),
            [
                ("email".to_owned(), Code::WrongType),
                ("phone".to_owned(), Code::Required),
                ("sms".to_owned(), Code::WrongType),
                ("is_email_verified".to_owned(), Code::UnknownField),
            ]
        );
    }

    #[test]
    fn what_is_no_plain_object_is_malformed() {
        for body in ["", "{", "[]", "\"secret\"", "7", "null", r#"{"a":1,"a":2}"#, r#"{"a":"\ud800"}"#, "{}x"] {
            let problem = Members::from_json(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code, Code::MalformedRequest, "{body}");
            assert!(!problem.detail.unwrap_or_default().contains("secret"), "{body}");
        }
        assert!(Members::from_json(&[b'[', b'{'].repeat(40_000)).is_err());
        assert!(Members::from_form(b"a=1&a=2").is_err());
        assert!(Members::from_form(b"a=%ff").is_err());
        let many = (0..65).fold(String::new(), |form, n| form + &format!("a{n}=&"));
        assert!(Members::from_form(many.as_bytes()).is_err());
    }
}
