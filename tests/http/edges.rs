//! Malformed requests, and the headers of every answer.

use portcullis_server::http::endpoint::Access;
use portcullis_server::http::routes::{ADMIN_PATH, admin_endpoints, realm_endpoints, system_endpoints};
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn every_answer_carries_its_headers() {
    let server = TestServer::start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let api = server.realm("User1");
    for path in ["//health", "//nowhere", "/", "//docs", "//openapi.json", "/verify?token=x"] {
        let answer = api.get(path).await;
        assert!(answer.header("strict-transport-security").contains("includeSubDomains"), "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(!answer.header("content-security-policy").contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(!answer.header("permissions-policy").is_empty() && !answer.header("x-request-id").is_empty(), "{path}");
        assert!(answer.headers.get("server").is_none(), "{path}");
    }
    let plain = TestServer::start().await;
    assert_eq!(plain.realm("User1").get("//problems/not%5Ffound").await.expect(200).header("vary"), "origin");
    assert!(plain.realm("User1").get("//health").await.headers.get("strict-transport-security").is_none());
}

#[tokio::test]
async fn bad_requests_get_their_status() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let raw =
        |body: Vec<u8>| api.request(Method::POST, "/create").header("content-type", "application/json").body(body);
    for body in [&b"{"[..], b"", b"[]", b"null", b"{\"a\":1,\"a\":2}", b"\xff\xfe", b"{\"email\":\"\\ud800\"}"] {
        let problem = api.send(raw(body.to_vec())).await.expect(400);
        assert_eq!(problem.code(), "malformed_request");
        assert_eq!(problem.json()["status"], 400);
        assert_eq!(problem.json()["request_id"], problem.header("x-request-id"));
    }
    let exactly = format!("{{\"email\":\"{}\"}}", "a".repeat(65_536 - 12));
    assert_eq!(exactly.len(), 65_536);
    let _ = api.send(raw(exactly.clone().into_bytes())).await.expect(422);
    assert_eq!(api.send(raw(format!("{exactly} ").into_bytes())).await.expect(413).code(), "payload_too_large");
    let _ = api.send(api.request(Method::POST, "/create").body("x=1")).await.expect(415);
    let _ = api.post("/login", &json!({"username": "a", "password": "b"})).await.expect(415);
    let _ = api.form("/login", &[]).await.expect(422);
    let _ = api.form("/login", &[("username", "a@example.com"), ("password", &"x".repeat(60_000))]).await.expect(401);
    let wrong_method = api.get("/create").await.expect(405);
    assert!(wrong_method.header("allow").contains("POST"));
    assert_eq!(wrong_method.code(), "method_not_allowed");
    for path in [
        "//nowhere",
        "/nowhere",
        "//User3/login",
        "//user1/login",
        "//User1//login",
        "//problems/nothing",
        "//problems/%ff",
    ] {
        assert_eq!(api.get(path).await.expect(404).code(), "not_found", "{path}");
    }
    for authorization in ["Bearer", "Bearer x", "Basic x", "bearer  ", "Bearer ..", "Bearer \u{e9}"] {
        let request = api.request(Method::GET, "/").header("authorization", authorization.as_bytes());
        let problem = api.send(request).await.expect(401);
        assert!(problem.header("www-authenticate").starts_with("Bearer"), "{authorization}");
    }
}

#[tokio::test]
async fn only_operators_see_metrics_and_detailed_health() {
    let token = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-operator";
    let server = TestServer::start_with(&[("OPERATOR_TOKEN", token)]).await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    for path in ["//metrics", "//health/detailed"] {
        let _ = api.get(path).await.expect(401);
        let _ = john.get(path).await.expect(401);
        let _ = api.with_token(token).get(path).await.expect(200);
    }
    let metrics = api.with_token(token).get("//metrics").await;
    assert!(metrics.text.contains("portcullis_http_requests_total"), "{}", metrics.text);
    let detailed = api.with_token(token).get("//health/detailed").await.json();
    assert_eq!(detailed["details"]["migrations"]["pending"], 0);
    let _ = api.get("//livez").await.expect(200);
    let _ = api.get("//readyz").await.expect(200);
}

#[tokio::test]
async fn browsers_of_listed_origins_may_call_and_others_may_not() {
    let server = TestServer::start_with(&[("CORS_ORIGINS", "https://app.example.com")]).await;
    let api = server.realm("User1");
    let preflight = |origin: &str| {
        let request = api.request(Method::OPTIONS, "/login").header("origin", origin.to_owned());
        request.header("access-control-request-method", "POST")
    };
    let listed = api.send(preflight("https://app.example.com")).await;
    assert_eq!(listed.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(listed.header("access-control-allow-credentials"), "true");
    let stranger = api.send(preflight("https://evil.example")).await;
    assert!(stranger.header("access-control-allow-origin").is_empty());
    let answer = api.send(api.request(Method::GET, "//livez").header("origin", "https://evil.example")).await;
    assert!(answer.header("access-control-allow-origin").is_empty());
}

#[tokio::test]
async fn a_body_that_never_ends_times_out_without_a_hashing_slot() {
    let server = TestServer::start_with(&[("HASH_THREADS", "1"), ("HASH_QUEUE", "1")]).await;
    let mut slow = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let head = "POST /User1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                content-length: 100\r\n\r\nusername=a";
    slow.write_all(head.as_bytes()).await.unwrap();
    let _ = server.realm("User1").login("nobody@example.com", "x").await.expect(401);
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), slow.read_to_string(&mut answer)).await;
    assert!(read.is_ok(), "no answer in time");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn protected_endpoints_refuse_requests_without_credentials() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let in_realm = realm_endpoints().into_iter().map(|endpoint| (endpoint.path.to_owned(), endpoint));
    let of_admin = admin_endpoints();
    let of_admin = of_admin.into_iter().map(|endpoint| (format!("/{ADMIN_PATH}/User1{}", endpoint.path), endpoint));
    let of_system = system_endpoints().into_iter().map(|endpoint| (format!("/{}", endpoint.path), endpoint));
    for (path, endpoint) in
        in_realm.chain(of_admin).chain(of_system).filter(|(_, endpoint)| endpoint.access != Access::Public)
    {
        for method in endpoint.methods {
            let challenge = api.send(api.request(method.clone(), &path)).await.expect(401).header("www-authenticate");
            let scheme = if endpoint.access == Access::ServiceClient { "Basic realm=" } else { "Bearer realm=" };
            assert!(challenge.starts_with(scheme), "{method} {path}: {challenge}");
        }
    }
}

#[tokio::test]
async fn options_and_other_methods_list_the_allowed_ones() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for (path, allow) in [("/mfa", "GET, PUT, OPTIONS"), ("/login", "POST, OPTIONS"), ("//health", "GET, OPTIONS")] {
        assert_eq!(api.send(api.request(Method::OPTIONS, path)).await.expect(204).header("allow"), allow);
        let refused = api.send(api.request(Method::TRACE, path)).await.expect(405);
        assert_eq!((refused.header("allow").as_str(), refused.code().as_str()), (allow, "method_not_allowed"));
        assert_eq!(refused.json()["error"].is_string(), path == "/login");
    }
}

#[tokio::test]
async fn head_works_on_system_endpoints_and_ends_no_session() {
    let server = TestServer::start().await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let refused = john.send(john.request(Method::HEAD, "/logout")).await.expect(405);
    assert_eq!(refused.header("allow"), "GET, POST, OPTIONS");
    let _ = john.get("/").await.expect(200);
    let health = john.send(john.request(Method::HEAD, "//livez")).await.expect(200);
    assert!(health.text.is_empty());
}

/// A link or an image on another site changes nothing; a browser's own navigation and clients without the header do.
#[tokio::test]
async fn another_site_cannot_log_a_user_out_by_get() {
    let server = TestServer::start_with(&[("CORS_ORIGINS", "https://app.example.com")]).await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    let logout = |site: &str| john.request(Method::GET, "/logout").header("sec-fetch-site", site);
    for site in ["cross-site", "same-site"] {
        let _ = john.send(logout(site)).await.expect(403);
        let forget = api.request(Method::GET, "/forget_password?email=a@example.com").header("sec-fetch-site", site);
        let _ = api.send(forget).await.expect(403);
        let verify = api.request(Method::GET, "/verify?token=x").header("sec-fetch-site", site);
        let _ = api.send(verify.header("accept", "application/json")).await.expect(403);
        let page = api.request(Method::GET, "/verify?token=x").header("sec-fetch-site", site);
        let _ = api.send(page.header("accept", "text/html")).await.expect(400);
    }
    let _ = john.get("/").await.expect(200);
    let allowed = logout("cross-site").header("origin", "https://app.example.com");
    let _ = john.send(allowed).await.expect(200);
    let _ = john.get("/").await.expect(401);
}

#[tokio::test]
async fn head_works_where_get_only_reads() {
    let server = TestServer::start().await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    for path in ["/", "/sessions", "/mfa"] {
        let head = john.send(john.request(Method::HEAD, path)).await.expect(200);
        assert_eq!(head.text, "");
    }
    for path in ["/logout", "/export", "/forget_password?email=a@example.com"] {
        let _ = john.send(john.request(Method::HEAD, path)).await.expect(405);
    }
    let _ = john.get("/").await.expect(200);
}

/// The operations of the endpoint table that take JSON: method, and path below the realm.
fn json_operations(document: &serde_json::Value) -> Vec<(Method, String)> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/{realm}") else { continue };
        for (method, operation) in methods.as_object().unwrap() {
            if operation["requestBody"]["content"]["application/json"].is_object() {
                operations.push((method.to_uppercase().parse().unwrap(), path.to_owned()));
            }
        }
    }
    operations
}

#[tokio::test]
async fn an_empty_body_is_no_json() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    let operations = json_operations(&api.get("//openapi.json").await.json());
    assert!(operations.len() >= 14, "{operations:?}");
    for (method, path) in operations {
        for media_type in ["application/json", "application/json; charset=utf-8"] {
            let request = john.request(method.clone(), &path).header("content-type", media_type);
            let answer = john.send(request).await;
            let refused = (answer.status.as_u16(), answer.code());
            assert_eq!(refused, (400, "malformed_request".to_owned()), "{method} {path}: {}", answer.text);
        }
    }
}
