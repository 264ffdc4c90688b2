//! The OpenAPI 3.1 document, made from the table of routes: every endpoint is in it, with the limit that is enforced.

use std::collections::BTreeMap;

use portcullis_core::model::code::Code;
use serde_json::{Map, Value, json};

use crate::http::app::App;
use crate::http::endpoint::{Access, Endpoint};
use crate::http::openapi::operation::{Operation, QueryParameter};
use crate::http::openapi::schemas::{form, object, text};
use crate::http::problem::ErrorFormat;
use crate::http::routes::{realm_endpoints, served_endpoints};
#[cfg(feature = "testkit")]
use crate::http::test_control;
use crate::http::{
    account, clients, logins, mailbox, passwords, phones, profile, recovery, registration, sessions, start_page,
    system, well_known,
};

/// The document for this deployment's realms.
#[must_use]
pub fn document(app: &App) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for realm in &app.realms {
        for endpoint in &realm_endpoints() {
            let path = format!("/{realm}{}", endpoint.path);
            add(&mut paths, path, endpoint, Some(realm.as_str()));
        }
    }
    for endpoint in &served_endpoints(app) {
        add(&mut paths, endpoint.openapi_path(), endpoint, None);
    }
    let realms = app
        .realms
        .iter()
        .map(|realm| json!({"name": realm.as_str(), "description": "A separate population of users."}));
    let tags: Vec<Value> =
        realms.chain([json!({"name": "system", "description": "Health, metrics, keys and documentation."})]).collect();
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": app.service.policy.app_name,
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Registration, verification, login, sessions, second factors and recovery.",
            "description": "Every personal field is encrypted on its own. Errors are RFC 9457 problem details with a stable \
                            `code`; the OAuth endpoints add RFC 6749's `error`. Times are RFC 3339, UTC.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": if app.path_prefix.is_empty() { "/" } else { &app.path_prefix }}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": all_schemas(), "securitySchemes": security_schemes(), "headers": headers()},
    })
}

fn add(paths: &mut BTreeMap<String, Map<String, Value>>, path: String, endpoint: &Endpoint, realm: Option<&str>) {
    let item = paths.entry(path).or_default();
    for method in endpoint.methods {
        let operation = operation(endpoint, method == http::Method::GET || endpoint.methods.len() == 1, realm, method);
        item.insert(method.as_str().to_ascii_lowercase(), operation);
    }
}

fn operation(endpoint: &Endpoint, plain_name: bool, realm: Option<&str>, method: &http::Method) -> Value {
    let described = endpoint.operation;
    let suffix = if plain_name { String::new() } else { format!("_{}", method.as_str().to_ascii_lowercase()) };
    let prefix = realm.map_or_else(String::new, |realm| format!("{realm}_"));
    let mut operation = json!({
        "operationId": format!("{prefix}{}{suffix}", endpoint.id),
        "tags": [realm.unwrap_or("system")],
        "summary": described.summary,
        "description": description(endpoint, described),
        "responses": responses(endpoint, described),
        "security": security(endpoint.access),
    });
    let in_query = method == http::Method::GET || !described.query_on_get_only;
    let mut parameters: Vec<Value> =
        described.path.iter().map(|(name, about)| parameter(name, "path", true, about)).collect();
    if in_query {
        let query = described.query.iter();
        parameters
            .extend(query.map(|QueryParameter { name, required, about }| parameter(name, "query", *required, about)));
    }
    parameters.extend(described.headers.iter().map(|(name, about)| parameter(name, "header", false, about)));
    if let Some(members) = operation.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some(body) = described.body.as_ref().filter(|_| method != http::Method::GET) {
            let content: Map<String, Value> = body
                .media
                .iter()
                .map(|media| {
                    ((*media).to_owned(), json!({"schema": {"$ref": format!("#/components/schemas/{}", body.schema)}}))
                })
                .collect();
            members.insert("requestBody".to_owned(), json!({"required": body.required, "content": content}));
        }
    }
    operation
}

fn parameter(name: &str, place: &str, required: bool, about: &str) -> Value {
    json!({"name": name, "in": place, "required": required, "description": about, "schema": {"type": "string"}})
}

fn description(endpoint: &Endpoint, described: &Operation) -> String {
    let limit = endpoint.limit.map_or_else(String::new, |row| format!("\n\nCounts in the limit `{row}`."));
    format!("{}{limit}", described.description)
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::User => json!([{"accessToken": []}]),
        Access::Operator => json!([{"operatorToken": []}]),
        Access::ServiceClient => json!([{"serviceClient": []}, {"operatorToken": []}]),
    }
}

fn security_schemes() -> Value {
    json!({
        "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of the realm."},
        "operatorToken": {"type": "http", "scheme": "bearer", "description": "An operator token."},
        "serviceClient": {"type": "http", "scheme": "basic", "description": "Id and secret of a service client."},
    })
}

fn headers() -> Value {
    json!({
        "RateLimit": {"description": "What is left: `\"row\";r=remaining;t=seconds until full`.", "schema": {"type": "string"}},
        "RateLimitPolicy": {"description": "The limit: `\"row\";q=quota;w=window in seconds`.", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Seconds until one more request would pass.", "schema": {"type": "integer", "minimum": 1}},
        "ETag": {"description": "The version of the profile, for `If-Match`.", "schema": {"type": "string"}},
        "WWWAuthenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
        "Allow": {"description": "The methods there are.", "schema": {"type": "string"}},
    })
}

fn responses(endpoint: &Endpoint, described: &Operation) -> Value {
    let mut responses = Map::new();
    for outcome in described.outcomes {
        let mut response = json!({"description": outcome.about});
        if let (Some(media), Some(members)) = (outcome.media, response.as_object_mut()) {
            let schema = outcome.schema.map_or_else(
                || json!({"type": "string"}),
                |schema| json!({"$ref": format!("#/components/schemas/{schema}")}),
            );
            let mut content = Map::from_iter([(media.to_owned(), json!({"schema": schema}))]);
            if outcome.page_too {
                content.insert("text/html".to_owned(), json!({"schema": {"type": "string"}}));
            }
            members.insert("content".to_owned(), Value::Object(content));
            let limited = endpoint.limit.is_some();
            members.insert("headers".to_owned(), headers_of(limited, outcome.etag, None));
        }
        responses.insert(outcome.status.to_string(), response);
    }
    for (status, codes) in failures(endpoint, described) {
        let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let (media, schema) = match endpoint.error_format {
            ErrorFormat::Problem => ("application/problem+json", "Problem"),
            ErrorFormat::OAuth => ("application/json", "OAuthProblem"),
        };
        let narrowed = json!({"allOf": [
            {"$ref": format!("#/components/schemas/{schema}")},
            {"properties": {"code": {"enum": words}, "status": {"const": status}}},
        ]});
        let mut content = Map::from_iter([(media.to_owned(), json!({"schema": narrowed}))]);
        if described.failure_pages && [400, 422].contains(&status) {
            content.insert("text/html".to_owned(), json!({"schema": {"type": "string"}}));
        }
        let titles: Vec<&str> = codes.iter().map(|code| code.title()).collect();
        let response = json!({
            "description": titles.join(". "),
            "content": content,
            "headers": headers_of(endpoint.limit.is_some(), false, Some(status)),
        });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn headers_of(limited: bool, etag: bool, failure: Option<u16>) -> Value {
    let mut names = Vec::new();
    if limited {
        names.extend([("RateLimit", "RateLimit"), ("RateLimit-Policy", "RateLimitPolicy")]);
    }
    match failure {
        Some(429 | 503) => names.push(("Retry-After", "RetryAfter")),
        Some(401) => names.push(("WWW-Authenticate", "WWWAuthenticate")),
        _ => {}
    }
    if etag {
        names.push(("ETag", "ETag"));
    }
    let references = names
        .into_iter()
        .map(|(name, header)| (name.to_owned(), json!({"$ref": format!("#/components/headers/{header}")})));
    Value::Object(references.collect())
}

/// Every code an endpoint can answer with, by status: its own and those its kind implies.
fn failures(endpoint: &Endpoint, described: &Operation) -> BTreeMap<u16, Vec<Code>> {
    let mut codes: Vec<Code> = described.errors.to_vec();
    match endpoint.access {
        Access::Public => {}
        Access::User | Access::Operator => codes.push(Code::NotAuthenticated),
        Access::ServiceClient => codes.push(Code::InvalidClient),
    }
    codes.extend([Code::HeadersTooLarge, Code::UriTooLong]);
    if endpoint.limit.is_some() {
        codes.extend([Code::RateLimited, Code::Unavailable]);
    }
    if !described.query.is_empty() {
        codes.extend([Code::MalformedRequest, Code::ValidationFailed]);
    }
    if described.body.is_some() {
        codes.extend([
            Code::MalformedRequest,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ]);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let status = described.status_of(code);
        let known = by_status.entry(status).or_default();
        if !known.contains(&code) {
            known.push(code);
        }
    }
    by_status
}

/// All schemas, by name: those of the endpoint groups and of the errors.
fn all_schemas() -> Value {
    let mut all = Map::new();
    for group in [
        registration::schemas(),
        logins::schemas(),
        phones::schemas(),
        passwords::schemas(),
        recovery::schemas(),
        profile::schemas(),
        sessions::schemas(),
        account::schemas(),
        clients::schemas(),
        system::schemas(),
        start_page::schemas(),
        well_known::schemas(),
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
