//! The schemas the document refers to.

use portcullis_core::model::code::Code;
use serde_json::{Map, Value, json};

#[expect(clippy::needless_pass_by_value, reason = "called with literals, a hundred times")]
fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals, many times")]
fn form(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn example(about: &str, example: &str) -> Value {
    json!({"type": "string", "description": about, "examples": [example]})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn id(prefix: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{prefix}_[0-9a-f]{{32}}$")})
}

/// All of them, by name.
pub fn all() -> Value {
    let mut all = Map::new();
    for group in [inputs(), tokens(), answers(), problems(), system(), test_control()] {
        if let Value::Object(group) = group {
            all.extend(group);
        }
    }
    Value::Object(all)
}

fn inputs() -> Value {
    let password = || json!({"type": "string", "format": "password", "description": "8 to 256 characters (as configured), any Unicode, not easy to guess, in no list of breached passwords."});
    let first_name = || example("1 to 100 characters of any script.", "John");
    let last_name = || example("1 to 100 characters of any script.", "Doe");
    let email = || json!({"type": "string", "format": "email", "examples": ["john.doe@example.com"]});
    let phone = || example("E.164.", "+1234567890");
    let country_code = || example("ISO 3166-1 alpha-2 or a dial code; must agree with the phone.", "US");
    let otp = || json!({"type": "string", "pattern": "^[0-9]{6}$"});
    json!({
        "Registration": object(&["first_name", "last_name", "email", "phone", "country_code", "password"], json!({
            "first_name": first_name(), "last_name": last_name(), "email": email(), "phone": phone(),
            "country_code": country_code(), "password": password(),
        })),
        "ProfileChanges": object(&[], json!({
            "first_name": first_name(), "last_name": last_name(), "email": email(), "phone": phone(), "country_code": country_code(),
        })),
        "Address": object(&["email"], json!({"email": email()})),
        "Verification": json!({"oneOf": [
            object(&["token"], json!({"token": text("The token of the link."), "reject": {"type": ["boolean", "string"], "enum": [true, false, "true", "false"]}})),
            object(&["email", "code"], json!({"email": email(), "code": text("The six characters of the mail, in either case.")})),
        ]}),
        "OtpRequest": object(&[], json!({"id": id("usr"), "phone": phone(), "channel": {"type": "string", "enum": ["sms", "voice"], "default": "sms"}})),
        "OtpAnswer": object(&["token", "otp"], json!({"token": text("The challenge."), "otp": otp()})),
        "SecondFactor": object(&["mfa_token", "otp"], json!({"mfa_token": text("The challenge of the login."), "otp": otp()})),
        "PasswordReset": object(&["password"], json!({"token": text("The token of the link; or in the query."), "password": password()})),
        "PasswordChange": object(&["current_password", "password"], json!({"current_password": text("The password now."), "password": password()})),
        "FactorChange": object(&["sms"], json!({"sms": {"type": "boolean"}, "password": text("To switch off."), "token": text("A challenge of otp_phone."), "otp": otp()})),
        "Deletion": object(&[], json!({"password": text("Instead of a recent login.")})),
        "Login": form(&["username", "password"], json!({
            "username": text("The e-mail address."), "password": text("The password."), "grant_type": {"type": "string", "enum": ["password", ""]},
            "scope": text("Accepted, without effect."), "client_id": text("Accepted, without effect."),
        })),
        "TokenRequest": json!({"oneOf": [
            form(&["grant_type", "username", "password"], json!({"grant_type": {"const": "password"}, "username": text("The e-mail address."), "password": text("The password.")})),
            form(&["grant_type", "refresh_token"], json!({"grant_type": {"const": "refresh_token"}, "refresh_token": text("The newest refresh token.")})),
        ]}),
        "TokenForm": form(&["token"], json!({"token": text("An access or refresh token."), "token_type_hint": {"type": "string", "enum": ["access_token", "refresh_token"]}})),
    })
}

fn tokens() -> Value {
    json!({
        "TokenPair": object(&["access_token", "token_type", "expires_in", "refresh_token"], json!({
            "access_token": text("A JWT (RFC 9068)."), "token_type": {"const": "bearer"},
            "expires_in": {"type": "integer", "description": "Seconds."}, "refresh_token": text("Opaque; good for one exchange."),
        })),
        "Challenge": object(&["message", "token", "expires_in"], json!({
            "message": text("For people."), "token": text("The challenge."), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "Introspection": json!({"oneOf": [
            object(&["active"], json!({"active": {"const": false}})),
            form(&["active", "token_type", "sub", "aud", "exp"], json!({
                "active": {"const": true}, "token_type": {"type": "string", "enum": ["Bearer", "refresh_token"]}, "iss": text("The issuer."),
                "aud": text("The realm."), "sub": id("usr"), "sid": id("ses"), "jti": id("jti"),
                "iat": {"type": "integer"}, "nbf": {"type": "integer"}, "exp": {"type": "integer"}, "auth_time": {"type": "integer"},
            })),
        ]}),
        "JwkSet": form(&["keys"], json!({"keys": {"type": "array", "items": {"type": "object"}}})),
    })
}

fn answers() -> Value {
    let profile = json!({
        "id": id("usr"), "first_name": text("As given."), "last_name": text("As given."), "email": text("As typed."),
        "pending_email": text("A new address that waits for its link."), "phone": text("E.164."), "country_code": text("As given."),
        "country": text("ISO 3166-1 alpha-2, derived."), "is_email_verified": {"type": "boolean"}, "is_phone_verified": {"type": "boolean"},
        "mfa": {"$ref": "#/components/schemas/Factors"}, "created_at": time(), "updated_at": time(),
    });
    let required = [
        "id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "country_code",
        "country",
        "is_email_verified",
        "is_phone_verified",
        "mfa",
        "created_at",
        "updated_at",
    ];
    let session = object(
        &["id", "created_at", "last_used_at", "user_agent", "address", "current"],
        json!({
            "id": id("ses"), "created_at": time(), "last_used_at": time(), "user_agent": text("The device's own words."),
            "address": text("Coarse: /24 or /48."), "current": {"type": "boolean"},
        }),
    );
    json!({
        "Created": object(&["message", "id", "email"], json!({"message": text("For people."), "id": id("usr"), "email": {"const": "[ENCRYPTED]"}})),
        "Verified": object(&["message"], json!({"message": text("For people."), "id": id("usr")})),
        "Message": object(&["message"], json!({"message": text("For people.")})),
        "Empty": object(&[], json!({})),
        "Any": json!({"type": "object"}),
        "Profile": object(&required, profile),
        "Session": session,
        "Sessions": object(&["sessions"], json!({"sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}}})),
        "Factors": object(&["sms"], json!({"sms": {"type": "boolean"}})),
        "Export": object(&["profile", "sessions", "events"], json!({
            "profile": {"$ref": "#/components/schemas/Profile"}, "previous_email": {"type": ["string", "null"]},
            "sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}},
            "events": {"type": "array", "items": object(&["at", "event"], json!({"at": time(), "event": text("What happened."), "session": {"type": ["string", "null"]}}))},
        })),
    })
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

fn system() -> Value {
    let service = || json!({"type": "string", "enum": ["healthy", "degraded", "unhealthy", "disabled"]});
    let health = json!({
        "status": {"type": "string", "enum": ["healthy", "degraded", "unhealthy"]}, "timestamp": time(),
        "services": object(&["database", "redis", "email", "sms"], json!({"database": service(), "redis": service(), "email": service(), "sms": service()})),
        "performance": object(&["response_time_ms", "memory_usage_mb", "cpu_usage_percent"], json!({
            "response_time_ms": {"type": "number"}, "memory_usage_mb": {"type": "number"}, "cpu_usage_percent": {"type": "number"},
        })),
    });
    let mut detailed = health.clone();
    if let Some(members) = detailed.as_object_mut() {
        members.insert("details".to_owned(), json!({"type": "object"}));
    }
    let required = ["status", "timestamp", "services", "performance"];
    json!({
        "Health": object(&required, health),
        "DetailedHealth": object(&[&required[..], &["details"]].concat(), detailed),
        "Mailbox": {"type": "array", "items": object(&["channel", "to", "template", "subject", "text", "html", "links", "code", "at"], json!({
            "channel": {"type": "string", "enum": ["email", "sms", "voice"]}, "to": text("The address or number."), "template": text("The message."),
            "subject": {"type": ["string", "null"]}, "text": text("The text part."), "html": {"type": ["string", "null"]},
            "links": {"type": "array", "items": {"type": "string"}}, "code": {"type": ["string", "null"]}, "at": time(),
        }))},
    })
}

/// Of the control plane of `portcullis testkit`; no other server names them.
#[cfg(not(feature = "testkit"))]
fn test_control() -> Value {
    json!({})
}

/// Of the control plane of `portcullis testkit`.
#[cfg(feature = "testkit")]
fn test_control() -> Value {
    let number = |about: &str| json!({"type": "integer", "minimum": 1, "description": about});
    let fault = object(
        &[],
        json!({
            "port": text("Of this port only, e.g. `session_store`."), "method": text("Of this method only, e.g. `rotate`."),
            "nth": number("Begins with this call from now on; 1 where none is given."), "times": number("So many calls; where none is given 1, or with a probability no end."),
            "probability": {"type": "number", "minimum": 0, "maximum": 1, "description": "Each such call with this probability, instead of the next ones."},
            "seed": {"type": "integer", "minimum": 0, "description": "Of the probability's dice."},
            "when": {"type": "string", "enum": ["before", "after"], "default": "before", "description": "Breaks before it did anything, or after it did it all."},
            "delay_seconds": {"type": "integer", "minimum": 1, "maximum": 86_400, "description": "Does not break, but takes so long on the server's clock."},
        }),
    );
    json!({
        "TestClock": object(&["now", "seconds"], json!({"now": time(), "seconds": {"type": "integer", "description": "The same since 1970."}})),
        "TestAdvance": object(&["seconds"], json!({"seconds": {"type": "integer", "minimum": 0, "maximum": 3_153_600_000_u64}})),
        "TestFaults": object(&["faults"], json!({"faults": {"type": "array", "items": fault}})),
        "TestSnapshot": object(&["snapshot"], json!({"snapshot": text("Its name.")})),
        "TestDisabled": object(
            &["realm", "user", "disabled"],
            json!({"realm": text("Where."), "user": text("Their id or address."), "disabled": {"type": "boolean"}}),
        ),
        "TestSeed": object(&["seed"], json!({"seed": {"type": "integer", "minimum": 0}})),
    })
}
