//! The documentation is complete, and comes from here only.

use std::collections::BTreeSet;

use portcullis_server::http::endpoint::Access;
use portcullis_server::http::routes::{
    ADMIN_PATH, admin_endpoints, development_endpoints, realm_endpoints, system_endpoints,
};
use portcullis_tests::TestServer;
use reqwest::Method;
use serde_json::{Value, json};

async fn document() -> Value {
    let server = TestServer::start().await;
    server.realm("User1").get("//openapi.json").await.expect(200).json()
}

#[tokio::test]
async fn every_endpoint_is_described_with_its_credentials_and_limits() {
    let document = document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let of_realm = |path: &str| format!("/{{realm}}{path}").trim_end_matches('/').to_owned();
    let rows = realm_endpoints().into_iter().map(|row| (of_realm(row.path), row));
    let is_file = |id: &str| ["problem", "asset"].contains(&id) || id.starts_with("demo");
    let system = [system_endpoints(), development_endpoints()].into_iter().flatten().filter(|row| !is_file(row.id));
    let admin = admin_endpoints().into_iter().map(|row| (format!("{ADMIN_PATH}/{{realm}}{}", row.path), row));
    let rows = rows.chain(admin).chain(system.map(|row| (row.openapi_path(), row)));
    for (path, row) in rows {
        for method in row.methods {
            let operation = &document["paths"][&path][method.as_str().to_ascii_lowercase()];
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path} has no summary");
            let responses = operation["responses"].as_object().unwrap();
            let good = |status: &String| status.starts_with('2') || status.starts_with('3');
            assert!(responses.keys().any(good), "{method} {path}");
            assert_eq!(row.limit.is_some(), responses.contains_key("429"), "{method} {path}");
            let secured = !operation["security"].as_array().unwrap().is_empty();
            assert_eq!(secured, row.access != Access::Public, "{method} {path}");
            assert_eq!(
                responses.contains_key("401"),
                secured || ["login", "token", "login_passkey"].contains(&row.id),
                "{method} {path}"
            );
        }
    }
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let operations: Vec<&Value> = operations.filter(|operation| operation.is_object()).collect();
    let ids: Vec<&str> = operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "every operation has a name of its own");
    let summaries: BTreeSet<&str> = operations.iter().map(|operation| operation["summary"].as_str().unwrap()).collect();
    assert!(summaries.len() > 40, "{summaries:?}");
    for row in realm_endpoints() {
        let item = &document["paths"][&of_realm(row.path)];
        let tag = &item[row.methods[0].as_str().to_ascii_lowercase()]["tags"][0];
        assert!(tag != "System", "{} has no group in openapi/tags.rs", row.id);
    }
}

#[tokio::test]
async fn a_viewer_shows_each_endpoint_once_and_in_the_order_of_use() {
    let server = TestServer::start().await;
    let text = server.realm("User1").get("//openapi.json").await.expect(200).text;
    let document: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["Registration", "Login", "Profile"]);
    assert!(!names.contains(&"Test control"));
    // the order of the text: a parser may sort the paths
    let at = |path: &str| text.find(&format!("\"/{{realm}}{path}\":{{")).unwrap_or_else(|| panic!("no {path}"));
    let in_order =
        ["/create", "/verify", "/login", "/token", "/login/mfa", "/forget_password", "", "/update", "/delete"];
    assert!(in_order.map(at).is_sorted(), "{in_order:?}");
}

/// The request that "Try it out" shows: the example of the body, or those of its fields.
fn example(document: &Value, path: &str) -> Value {
    let content = &document["paths"][path]["post"]["requestBody"]["content"];
    let media = content.as_object().unwrap().values().next().unwrap();
    if let Some(example) = media.get("example") {
        return example.clone();
    }
    let schema = media["schema"]["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#'))).unwrap();
    let fields = schema["properties"].as_object().unwrap().iter();
    fields.filter_map(|(name, field)| Some((name.clone(), field["examples"].get(0)?.clone()))).collect()
}

#[tokio::test]
async fn try_it_out_registers_and_logs_in_with_the_examples_as_they_are() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let document = api.get("//openapi.json").await.expect(200).json();
    let registration = example(&document, "/{realm}/create");
    let _ = api.post("/create", &registration).await.expect(201);
    let mail = api.mail("mail_email_verify", registration["email"].as_str().unwrap()).await;
    let shown = example(&document, "/{realm}/verify");
    let answer = json!({"email": shown["email"], "code": mail["code"]});
    let _ = api.post("/verify", &answer).await.expect(200);
    let login = example(&document, "/{realm}/login");
    let (username, password) = (login["username"].as_str().unwrap(), login["password"].as_str().unwrap());
    let _ = api.login(username, password).await.expect(200);
    // "Authorize" asks for the password and gets the token itself
    let scheme = &document["components"]["securitySchemes"]["password_User1"];
    let address = scheme["flows"]["password"]["tokenUrl"].as_str().unwrap();
    let asked = [("grant_type", "password"), ("username", username), ("password", password)];
    let request = api.request(Method::POST, &format!("/{address}")).basic_auth("", Some("")).form(&asked);
    let _ = api.send(request).await.expect(200);
}

#[tokio::test]
async fn schemas_of_the_document_are_those_that_generators_understand() {
    fn texts_have_a_type(value: &Value, at: &str) {
        if let Value::Object(members) = value {
            let constant = members.get("const").filter(|constant| !constant.is_null());
            if constant.is_some_and(Value::is_string) {
                assert_eq!(members.get("type"), Some(&json!("string")), "{at}");
            }
            members.iter().for_each(|(name, member)| texts_have_a_type(member, &format!("{at}/{name}")));
        } else if let Value::Array(values) = value {
            values.iter().enumerate().for_each(|(n, value)| texts_have_a_type(value, &format!("{at}/{n}")));
        }
    }
    let document = document().await;
    texts_have_a_type(&document, "#");
    let reject = &document["components"]["schemas"]["Verification"]["oneOf"][0]["properties"]["reject"];
    assert_eq!((&reject["type"], reject.get("enum")), (&json!("boolean"), None));
}

/// Left under `target/` for the validator that `cargo xtask openapi` runs.
#[tokio::test]
async fn the_document_is_there_for_the_validator() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/openapi.json");
    std::fs::write(path, document().await.to_string()).unwrap();
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn viewers_and_pages_load_no_foreign_file() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for path in ["//docs", "//redoc", "//scalar", "//problems", "//problems/invalid_token", "//dev/mailbox"] {
        let request = api.request(reqwest::Method::GET, path).header("accept", "text/html");
        let page = api.send(request).await.expect(200);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        let csp = page.header("content-security-policy");
        assert!(!csp.contains("http") && !csp.contains('*'), "{path}: {csp}");
        // the viewers' are relative to the page
        let references = page.text.split(['"', '\'']).map(|text| text.strip_prefix('/').unwrap_or(text));
        let assets: Vec<&str> = references.filter(|text| text.starts_with("assets/")).collect();
        assert!(assets.len() > 1, "{path}");
        for reference in assets {
            let asset = api.get(&format!("//{reference}")).await.expect(200);
            assert!(!asset.text.is_empty(), "{reference}");
        }
        for attribute in ["src=\"http", "href=\"http", "url(http", "src=\"//"] {
            assert!(!page.text.contains(attribute), "{path} has {attribute}");
        }
    }
}

#[tokio::test]
async fn the_demo_is_served_under_a_policy_of_its_own() {
    let server = TestServer::start_with(&[("REALMS", "Guests"), ("PASSWORD_POLICY", "nist-single")]).await;
    let api = server.realm("Guests");
    // addresses in the page are relative to the folder, which ends in a slash
    assert_eq!(api.get("//demo").await.expect(308).header("location"), "demo/");
    let page = api.get("//demo/").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for asset in portcullis_server::http::demo::ALL {
        let answer = api.get(&format!("//demo/{}", asset.name)).await.expect(200);
        assert_eq!(answer.header("content-type"), asset.content_type, "{}", asset.name);
        let csp = answer.header("content-security-policy");
        assert!(csp.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'"), "{csp}");
        assert!(!csp.contains("unsafe-inline") && !csp.contains("http") && !csp.contains('*'), "{csp}");
    }
    let settings = api.get("//demo/settings.json").await.expect(200).json();
    assert_eq!(settings["realms"], serde_json::json!(["Guests"]));
    assert_eq!(settings["password"]["min_length"], 15);
    for unknown in
        ["//demo/README.md", "//demo/../Cargo.toml", "//demo/%2e%2e/Cargo.toml", "//demo/fonts", "//demo/fonts/"]
    {
        let _ = api.get(unknown).await.expect(404);
    }
    let _ = api.send(api.request(reqwest::Method::POST, "//demo/")).await.expect(405);
}
