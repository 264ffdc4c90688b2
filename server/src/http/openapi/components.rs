//! The parts of the OpenAPI document that operations refer to: headers, the realm, and how to authenticate.

use std::collections::BTreeSet;

use portcullis_core::model::realm::Realm;
use serde_json::{Map, Value, json};

/// The reference to the parameter of every path of a realm.
pub const REALM_PARAMETER: &str = "#/components/parameters/Realm";

/// The name of the scheme that logs in to a realm.
fn password_scheme(realm: &Realm) -> String {
    format!("password_{realm}")
}

/// The parameter of every path of a realm.
#[must_use]
pub fn parameters(realms: &[Realm]) -> Value {
    json!({"Realm": {
        "name": "realm", "in": "path", "required": true, "description": "The realm: a separate set of users.",
        "schema": {"$ref": "#/components/schemas/Realm"}, "example": realms.first().map(Realm::as_str),
    }})
}

/// The type of that parameter.
#[must_use]
pub fn realm_schema(realms: &[Realm]) -> Value {
    let names: Vec<&str> = realms.iter().map(Realm::as_str).collect();
    json!({"Realm": {"type": "string", "enum": names, "description": "A separate set of users."}})
}

/// The security of an operation of a user: an access token, which a viewer of the document has already or gets by a password.
#[must_use]
pub fn user_security(realms: &[Realm]) -> Value {
    let by_password = realms.iter().map(|realm| json!({password_scheme(realm): []}));
    Value::Array([json!({"accessToken": []})].into_iter().chain(by_password).collect())
}

/// How to authenticate. The password flow has one address, so each realm has a scheme of its own.
#[must_use]
pub fn security_schemes(realms: &[Realm], base_path: &str) -> Value {
    let tokens = json!({
        "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of the realm."},
        "operatorToken": {"type": "http", "scheme": "bearer", "description": "An operator token."},
        "serviceClient": {"type": "http", "scheme": "basic", "description": "Id and secret of a service client."},
    });
    let mut schemes = tokens.as_object().cloned().unwrap_or_default();
    for realm in realms {
        let address = format!("{base_path}/{realm}/token");
        let flow = json!({"tokenUrl": address, "refreshUrl": address, "scopes": {}});
        let about = format!("E-mail address and password of a user of {realm}. Client id and secret stay empty.");
        let scheme = json!({"type": "oauth2", "flows": {"password": flow}, "description": about});
        schemes.insert(password_scheme(realm), scheme);
    }
    Value::Object(schemes)
}

/// The headers of responses.
#[must_use]
pub fn headers() -> Value {
    json!({
        "RateLimit": {"description": "What is left: `\"row\";r=remaining;t=seconds until full`.", "schema": {"type": "string"}},
        "RateLimitPolicy": {"description": "The limit: `\"row\";q=quota;w=window in seconds`.", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Seconds until one more request would pass.", "schema": {"type": "integer", "minimum": 1}},
        "ETag": {"description": "The version of the profile, for `If-Match`.", "schema": {"type": "string"}},
        "WWWAuthenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    })
}

/// The components that `roots` refer to, directly or by another component; and the security schemes.
#[must_use]
pub fn referenced(roots: &[Value], components: Value) -> Value {
    let mut found = BTreeSet::new();
    for root in roots {
        find_references(root, &components, &mut found);
    }
    let Value::Object(components) = components else { return components };
    let kept = components.into_iter().map(|(kind, members)| match members {
        Value::Object(members) if kind != "securitySchemes" => {
            let used = |name: &String| found.contains(&format!("/{kind}/{name}"));
            let members: Map<String, Value> = members.into_iter().filter(|(name, _)| used(name)).collect();
            (kind, Value::Object(members))
        }
        members => (kind, members),
    });
    Value::Object(kept.collect())
}

fn find_references(value: &Value, components: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            if let Some(pointer) = reference.and_then(|reference| reference.strip_prefix("#/components"))
                && found.insert(pointer.to_owned())
                && let Some(target) = components.pointer(pointer)
            {
                find_references(target, components, found);
            }
            members.values().for_each(|member| find_references(member, components, found));
        }
        Value::Array(values) => values.iter().for_each(|value| find_references(value, components, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_that_nothing_refers_to_are_left_out() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let components =
            json!({"schemas": {"A": {"items": reference("B")}, "B": {"anyOf": [reference("A")]}, "C": {}}});
        let kept = referenced(&[json!({"get": [reference("A")]})], components);
        assert_eq!(kept["schemas"].as_object().unwrap().keys().collect::<Vec<_>>(), ["A", "B"]);
    }
}
