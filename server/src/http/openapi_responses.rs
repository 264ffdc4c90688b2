//! The responses of an operation in the OpenAPI document: its own, and the errors that its kind implies.

use std::collections::BTreeMap;

use portcullis_core::model::code::Code;
use serde_json::{Map, Value, json};

use crate::http::endpoint::{Access, Endpoint};
use crate::http::openapi::operation::Operation;
use crate::http::problem::ErrorFormat;

/// All responses, by status.
#[must_use]
pub fn responses(endpoint: &Endpoint, described: &Operation) -> Value {
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
            {"properties": {"code": {"enum": words}}},
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

/// The response of every endpoint of a realm if the realm of the path is none of this deployment.
#[must_use]
pub fn unknown_realm() -> Value {
    let schema = json!({"allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {"properties": {"code": {"enum": [Code::NotFound.as_str()]}}},
    ]});
    let content = json!({"application/problem+json": {"schema": schema}});
    json!({"description": "There is no such realm", "content": content})
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
        Access::Admin(_) => {
            codes.extend([Code::NotAuthenticated, Code::Forbidden, Code::ReauthenticationRequired]);
        }
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
