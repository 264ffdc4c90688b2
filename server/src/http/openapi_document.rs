//! The OpenAPI 3.1 document, made from the table of routes: every endpoint of the API is in it, with the limit that is
//! enforced. Files of pages are not.

use std::collections::BTreeSet;

use portcullis_core::model::code::Code;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::realm::Realm;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::http::app::App;
use crate::http::endpoint::{Access, Endpoint};
use crate::http::openapi::components::{
    REALM_PARAMETER, headers, parameters, realm_schema, referenced, security_schemes, user_security,
};
use crate::http::openapi::operation::{Body, JSON, Operation, QueryParameter};
use crate::http::openapi::schemas::{form, object, parameter_example, text};
use crate::http::openapi::tags::{TAGS, tag_of};
use crate::http::openapi_responses::{responses, unknown_realm};
use crate::http::routes::{ADMIN_PATH, admin_endpoints, realm_endpoints, served_endpoints};
#[cfg(feature = "testkit")]
use crate::http::test_control;
use crate::http::{
    account, admin, clients, devices, enrolment, factors, logins, mailbox, passkeys, passwords, phones, profile,
    recovery, registration, second_factors, sessions, start_page, system, well_known,
};

/// Endpoints that serve files of pages or pages about an error. Their paths would be ambiguous beside `/{realm}/…`.
const FILES: [&str; 5] = ["problem", "asset", "demo", "demo_page", "demo_file"];

/// The paths in the order of the table of routes: viewers show them in this order.
#[derive(Default)]
struct Paths(Vec<(String, Map<String, Value>)>);

impl Paths {
    fn add(&mut self, path: &str, endpoint: &Endpoint, realms: &[Realm], in_realm: bool) {
        let known = self.0.iter().position(|(known, _)| known == path);
        let at = known.unwrap_or_else(|| {
            let item = if in_realm { json!({"parameters": [{"$ref": REALM_PARAMETER}]}) } else { json!({}) };
            self.0.push((path.to_owned(), item.as_object().cloned().unwrap_or_default()));
            self.0.len() - 1
        });
        let Some((_, item)) = self.0.get_mut(at) else { return };
        for method in endpoint.methods {
            let mut operation = operation(endpoint, method, realms);
            let responses = operation.pointer_mut("/responses").and_then(Value::as_object_mut);
            if let (true, Some(responses)) = (in_realm, responses) {
                responses.entry("404").or_insert_with(unknown_realm);
            }
            item.insert(method.as_str().to_ascii_lowercase(), operation);
        }
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(path, item)| (path, item)))
    }
}

#[derive(serde::Serialize)]
struct Document {
    openapi: &'static str,
    #[serde(rename = "jsonSchemaDialect")]
    dialect: &'static str,
    info: Value,
    servers: Value,
    tags: Vec<Value>,
    paths: Paths,
    components: Value,
}

/// The document for this deployment's realms, as JSON.
#[must_use]
pub fn document(app: &App) -> String {
    let mut paths = Paths::default();
    for endpoint in &realm_endpoints() {
        // `/{realm}` and `/{realm}/` are one endpoint
        paths.add(format!("/{{realm}}{}", endpoint.path).trim_end_matches('/'), endpoint, &app.realms, true);
    }
    for endpoint in &admin_endpoints() {
        paths.add(&format!("{ADMIN_PATH}/{{realm}}{}", endpoint.path), endpoint, &app.realms, true);
    }
    for endpoint in served_endpoints(app).iter().filter(|endpoint| !FILES.contains(&endpoint.id)) {
        paths.add(&endpoint.openapi_path(), endpoint, &app.realms, false);
    }
    let described = paths.0.iter().flat_map(|(_, item)| item.values());
    let used: BTreeSet<&str> = described.filter_map(|operation| operation.pointer("/tags/0")?.as_str()).collect();
    let tags = TAGS.iter().filter(|tag| used.contains(tag.name));
    let tags = tags.map(|tag| json!({"name": tag.name, "description": tag.about})).collect();
    let all = json!({
        "schemas": all_schemas(&app.realms),
        "headers": headers(),
        "parameters": parameters(&app.realms),
        "securitySchemes": security_schemes(&app.realms, &app.path_prefix),
    });
    let components = referenced(&paths.0.iter().map(|(_, item)| json!(item)).collect::<Vec<_>>(), all);
    let document = Document {
        openapi: "3.1.0",
        dialect: "https://spec.openapis.org/oas/3.1/dialect/base",
        info: info(app),
        servers: json!([{"url": if app.path_prefix.is_empty() { "/" } else { &app.path_prefix }}]),
        tags,
        paths,
        components,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

fn info(app: &App) -> Value {
    json!({
        "title": app.service.policy.app_name,
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Registration, verification, login, sessions, second factors and recovery.",
        "description": "Every personal field is encrypted on its own. Errors are RFC 9457 problem details with a stable \
                        `code`; the OAuth endpoints add RFC 6749's `error`. Times are RFC 3339, UTC. Each realm is a \
                        separate set of users with the same endpoints.",
        "contact": {"name": app.service.policy.app_name, "url": app.app_url.as_ref().unwrap_or(&app.public_url)},
        "license": {"name": "MIT", "identifier": "MIT"},
    })
}

fn operation(endpoint: &Endpoint, method: &http::Method, realms: &[Realm]) -> Value {
    let described = endpoint.operation;
    let plain_name = method == http::Method::GET || endpoint.methods.len() == 1;
    let suffix = if plain_name { String::new() } else { format!("_{}", method.as_str().to_ascii_lowercase()) };
    let mut operation = json!({
        "operationId": format!("{}{suffix}", endpoint.id),
        "tags": [tag_of(endpoint.id)],
        "summary": described.summary,
        "description": description(endpoint, described),
        "responses": responses(endpoint, described),
        "security": security(endpoint.access, realms),
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
            members.insert("requestBody".to_owned(), request_body(body));
        }
    }
    operation
}

fn request_body(body: &Body) -> Value {
    let mut media = json!({"schema": {"$ref": format!("#/components/schemas/{}", body.schema)}});
    let example = body.example.and_then(|example| serde_json::from_str::<Value>(example).ok());
    if let (Some(example), Some(members)) = (example, media.as_object_mut()) {
        members.insert("example".to_owned(), example);
    }
    let content = Map::from_iter([(described_media(body).to_owned(), media)]);
    json!({"required": body.required, "content": content})
}

/// JSON where it is accepted: generators make no good client of a choice.
fn described_media(body: &Body) -> &'static str {
    let json = body.media.iter().find(|media| **media == JSON);
    json.or(body.media.first()).copied().unwrap_or(JSON)
}

fn parameter(name: &str, place: &str, required: bool, about: &str) -> Value {
    let mut parameter =
        json!({"name": name, "in": place, "required": required, "description": about, "schema": {"type": "string"}});
    // an optional one is left empty: a viewer sends the values that it shows
    let example = parameter_example(name).filter(|_| required);
    if let (Some(example), Some(members)) = (example, parameter.as_object_mut()) {
        members.insert("example".to_owned(), json!(example));
    }
    parameter
}

fn description(endpoint: &Endpoint, described: &Operation) -> String {
    let limit = endpoint.limit.map_or_else(String::new, |row| format!("\n\nCounts in the limit `{row}`."));
    let is_choice = described.body.is_some_and(|body| body.media.len() > 1);
    let form = if is_choice { "\n\nA form with the same fields is accepted too." } else { "" };
    let scope = match endpoint.access {
        Access::Admin(scope) => {
            format!(
                "\n\nNeeds an operator token of the realm with the scope `{}`, or an account with the role `admin`.",
                scope.as_str()
            )
        }
        _ => String::new(),
    };
    format!("{}{form}{scope}{limit}", described.description)
}

fn security(access: Access, realms: &[Realm]) -> Value {
    match access {
        Access::Public => json!([]),
        Access::User => user_security(realms),
        Access::Operator => json!([{"operatorToken": []}]),
        Access::Admin(_) => json!([{"operatorToken": []}, {"accessToken": []}]),
        Access::ServiceClient => json!([{"serviceClient": []}, {"operatorToken": []}]),
    }
}

/// All schemas, by name: those of the endpoint groups and of the errors.
fn all_schemas(realms: &[Realm]) -> Value {
    let mut all = Map::new();
    for group in [
        registration::schemas(),
        logins::schemas(),
        phones::schemas(),
        passwords::schemas(),
        recovery::schemas(),
        profile::schemas(),
        sessions::schemas(),
        factors::schemas(),
        second_factors::schemas(),
        passkeys::schemas(),
        enrolment::schemas(),
        devices::schemas(),
        account::schemas(),
        clients::schemas(),
        admin::schemas(),
        system::schemas(),
        start_page::schemas(),
        well_known::schemas(),
        mailbox::schemas(),
        #[cfg(feature = "testkit")]
        test_control::schemas(),
        #[cfg(feature = "testkit")]
        test_control::factors::schemas(),
        problems(),
        realm_schema(realms),
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
            "mfa_token": text("With `mfa_required`: the challenge."), "methods": {"type": "array", "items": {"type": "string", "enum": FactorMethod::ALL.map(FactorMethod::as_str)}}, "expires_in": {"type": "integer"},
            "enrolment_token": text("With `mfa_enrolment_required`: the challenge that the mailed code answers."),
            "passkey_options": {"type": "object", "description": "With `mfa_required`, where the account has passkeys: for `navigator.credentials.get()`."},
        }))]}),
    })
}
