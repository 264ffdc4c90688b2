//! The documentation is complete, and comes from here only.

use std::collections::BTreeSet;

use portcullis_server::http::endpoint::Access;
use portcullis_server::http::routes::{development_endpoints, realm_endpoints, system_endpoints};
use portcullis_tests::TestServer;
use serde_json::Value;

async fn document() -> Value {
    let server = TestServer::start().await;
    server.realm("User1").get("//openapi.json").await.expect(200).json()
}

#[tokio::test]
async fn every_endpoint_is_described_with_its_credentials_and_limits() {
    let document = document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let rows = realm_endpoints().into_iter().map(|row| (format!("/User1{}", row.path), row));
    let system = [system_endpoints(), development_endpoints()].into_iter().flatten();
    let rows = rows.chain(system.map(|row| (row.openapi_path(), row)));
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
                responses.contains_key("401") || row.id == "login",
                secured || row.id == "login",
                "{method} {path}"
            );
        }
    }
    let ids = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = ids.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "every operation has a name of its own");
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
