//! Answers in the form that a client reads: pages for browsers, JSON for programs.

use portcullis_tests::api::{Answer, Api, token_of};
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

/// The header `Accept` of a browser that opens a link.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn accepting(api: &Api, path: &str, accept: &str) -> Answer {
    api.send(api.request(Method::GET, path).header("accept", accept)).await
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("text/html")
}

#[tokio::test]
async fn a_link_that_a_mail_service_decorated_opens() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let token = token_of(&api.mail("mail_email_verify", &person.email).await);
    let decorated = format!("token={token}&utm_source=newsletter&utm_medium=email");
    assert!(is_page(&accepting(&api, &format!("/verify?{decorated}"), BROWSER).await.expect(200)));
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    let _ = api.post("/forget_password", &json!({"email": person.email})).await.expect(202);
    let token = token_of(&api.mail("mail_password_reset", &person.email).await);
    let page = accepting(&api, &format!("/reset_password_form?token={token}&utm_source=x"), BROWSER).await;
    assert!(is_page(&page.expect(200)));
}

#[tokio::test]
async fn every_other_endpoint_refuses_a_query_that_it_does_not_know() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    let unknown = |answer: Answer| {
        let body = answer.expect(422).json();
        assert_eq!(
            (&body["errors"][0]["field"], &body["errors"][0]["code"]),
            (&json!("utm_source"), &json!("unknown_field"))
        );
    };
    for path in ["//health", "//readyz", "//docs", "//", "//problems", "//.well-known/security.txt"] {
        unknown(api.get(&format!("{path}?utm_source=x")).await);
    }
    for path in ["/", "/sessions", "/mfa", "/export", "/logout"] {
        unknown(john.get(&format!("{path}?utm_source=x")).await);
        let _ = api.get(&format!("{path}?utm_source=x")).await.expect(401);
    }
    for path in ["/create", "/resend_verification"] {
        unknown(api.post(&format!("{path}?utm_source=x"), &json!({})).await);
    }
    unknown(api.form("/login?utm_source=x", &[("username", "a@example.com"), ("password", "x")]).await);
    let _ = john.get("/").await.expect(200);
}

#[tokio::test]
async fn a_json_body_is_answered_by_json_whatever_is_accepted() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for accept in [Some("*/*"), Some("application/json, text/plain, */*"), None] {
        let person = Person::named(&format!("{}@example.com", accept.map_or(0, str::len)));
        let _ = api.post("/create", &person.form).await.expect(201);
        let token = token_of(&api.mail("mail_email_verify", &person.email).await);
        let post = async |path: &str, body: Value| {
            let request = api.request(Method::POST, path).json(&body);
            api.send(accept.map_or_else(
                || request.try_clone().unwrap(),
                |accept| request.try_clone().unwrap().header("accept", accept),
            ))
            .await
        };
        let verified = post("/verify", json!({"token": token})).await.expect(200);
        assert_eq!(verified.json()["message"], "Email verified successfully", "{accept:?}");
        assert_eq!(post("/verify", json!({"token": token})).await.expect(400).code(), "invalid_token");
        assert_eq!(
            post("/reset_password", json!({"token": "x", "password": "y"})).await.expect(400).code(),
            "invalid_token"
        );
    }
    // a form is answered by a page, unless JSON is asked for
    let fields = [("token", "x"), ("password", "kq7!Zp2#vW9x-tulip")];
    let form =
        |accept: &str| api.request(Method::POST, "/reset_password").form(&fields).header("accept", accept.to_owned());
    assert!(is_page(&api.send(form("*/*")).await.expect(400)));
    assert_eq!(api.send(form("application/json, */*")).await.expect(400).code(), "invalid_token");
    assert!(is_page(&api.send(form("text/html, application/json")).await.expect(400)));
}

#[tokio::test]
async fn a_browser_reads_errors_as_pages_and_a_program_as_json() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for (path, status) in [
        ("//nowhere", 404),
        ("//User3/verify", 404),
        ("/", 401),
        ("/create", 405),
        ("/login", 405),
        ("/verify", 422),
        ("/verify?token=x", 400),
        ("/reset_password_form", 422),
        ("//problems/nothing", 404),
        ("//metrics", 401),
    ] {
        let page = accepting(&api, path, BROWSER).await.expect(status);
        assert!(is_page(&page) && page.text.contains("<h1>"), "{path}: {}", page.text);
        assert!(page.header("content-security-policy").contains("style-src 'self'"), "{path}");
        assert_eq!(page.headers.contains_key("www-authenticate"), status == 401, "{path}");
        for accept in ["application/json", "application/problem+json"] {
            assert!(!is_page(&accepting(&api, path, accept).await) || path.contains("token=x"), "{path} {accept}");
        }
    }
    let long = accepting(&api, &format!("//{}", "x".repeat(9000)), BROWSER).await.expect(414);
    assert!(is_page(&long));
    // an OAuth client that says text/html reads JSON all the same
    let login = api.request(Method::POST, "/login").form(&[("username", "a@example.com"), ("password", "x")]);
    assert_eq!(api.send(login.header("accept", BROWSER)).await.expect(401).json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_start_page_leads_to_the_documentation() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let page = accepting(&api, "//", BROWSER).await.expect(200);
    assert!(is_page(&page) && page.text.contains("href=\"/docs\""), "{}", page.text);
    let body = api.get("//").await.expect(200).json();
    assert_eq!((&body["name"], &body["version"]), (&json!("Portcullis"), &json!(env!("CARGO_PKG_VERSION"))));
    for link in body["links"].as_array().unwrap() {
        let _ = api.get(&format!("/{}", link["href"].as_str().unwrap())).await.expect(200);
    }
}

#[tokio::test]
async fn api_docs_off_removes_the_documentation() {
    let server = TestServer::start_with(&[("API_DOCS", "off")]).await;
    let api = server.realm("User1");
    for path in ["//docs", "//redoc", "//scalar", "//openapi.json"] {
        let _ = api.get(path).await.expect(404);
    }
    let page = accepting(&api, "//", BROWSER).await.expect(200);
    assert!(!page.text.contains("/docs"), "{}", page.text);
    let _ = api.get("//problems").await.expect(200);
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_send_tracing_headers_and_the_operators_own() {
    let server =
        TestServer::start_with(&[("CORS_ORIGINS", "https://app.example.com"), ("CORS_HEADERS", "X-Tenant, x-other")])
            .await;
    let api = server.realm("User1");
    let preflight = api.request(Method::OPTIONS, "/login").header("origin", "https://app.example.com");
    let preflight = preflight.header("access-control-request-method", "POST");
    let allowed = api.send(preflight.header("access-control-request-headers", "sentry-trace, baggage")).await;
    let allowed = allowed.header("access-control-allow-headers").to_ascii_lowercase();
    let allowed: Vec<&str> = allowed.split(',').map(str::trim).collect();
    for name in [
        "authorization",
        "content-type",
        "if-match",
        "x-requested-with",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
        "x-tenant",
        "x-other",
    ] {
        assert!(allowed.contains(&name), "{name} in {allowed:?}");
    }
}

#[tokio::test]
async fn a_password_manager_finds_where_a_password_is_changed() {
    let server = TestServer::start().await;
    let page = accepting(&server.realm("User1"), "//.well-known/change-password", BROWSER).await.expect(200);
    assert!(is_page(&page) && page.text.contains("Change your password"));
    let server = TestServer::start_with(&[("APP_URL", "https://app.example.com/account/")]).await;
    let api = server.realm("User1");
    let led = api.get("//.well-known/change-password").await.expect(303);
    assert_eq!(led.header("location"), "https://app.example.com/account");
    // what password managers ask to see whether a server tells the truth
    let _ =
        api.get("//.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").await.expect(404);
}

#[tokio::test]
async fn a_finder_of_a_flaw_knows_where_to_report_it() {
    let server = TestServer::start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let file = server.realm("User1").get("//.well-known/security.txt").await.expect(200);
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    let field = |name: &str| file.text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    assert!(field("Contact: ").starts_with("https://"), "{}", file.text);
    assert_eq!(field("Canonical: "), "https://auth.example.com/.well-known/security.txt");
    assert_eq!(field("Expires: "), "2027-06-30T12:00:00.000Z");
}

#[tokio::test]
async fn oauth_clients_configure_themselves_by_the_metadata_of_a_realm() {
    for (public_url, path) in [
        ("https://auth.example.com", "User1"),
        ("https://example.com/auth", "User1"),
        ("https://example.com/auth", "auth/User1"),
    ] {
        let settings = [("PUBLIC_URL", public_url), ("SIGNING", "EdDSA")];
        let server = TestServer::start_with(&settings).await;
        let api = server.realm("User1");
        let metadata = api.get(&format!("//.well-known/oauth-authorization-server/{path}")).await.expect(200).json();
        let issuer = format!("{public_url}/User1");
        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(metadata["token_endpoint"], format!("{issuer}/token"));
        assert_eq!(metadata["revocation_endpoint"], format!("{issuer}/revoke"));
        assert_eq!(metadata["introspection_endpoint"], format!("{issuer}/introspect"));
        assert_eq!(metadata["jwks_uri"], format!("{public_url}/.well-known/jwks.json"));
        assert_eq!(metadata["grant_types_supported"], json!(["password", "refresh_token"]));
        let (john, _) = api.logged_in(&Person::john()).await;
        assert_eq!(claims(john.token.as_deref().unwrap())["iss"], issuer);
        for unknown in ["User3", "other/User1", "", "User1/"] {
            let _ = api.get(&format!("//.well-known/oauth-authorization-server/{unknown}")).await.expect(404);
        }
    }
    let server = TestServer::start().await;
    let metadata = server.realm("User2").get("//.well-known/oauth-authorization-server/User2").await.expect(200).json();
    assert!(metadata["jwks_uri"].is_null() && metadata["issuer"].as_str().unwrap().ends_with("/User2"), "{metadata}");
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn all_callers_of_the_health_checks_share_one_probe() {
    let kit = portcullis_tests::testkit::RunningTestkit::start(&[]).await;
    let api = Api::new(kit.address, "User1");
    // the next probe of the database fails, and only that one
    let faults = json!({"faults": [{"port": "user_store", "method": "ping", "probability": 1, "times": 1}]});
    let _ = api.json(Method::PUT, "//__test__/faults", &faults).await.expect(204);
    let calls = (0..20).map(|call| {
        let api = api.clone();
        tokio::spawn(async move { api.get(if call % 2 == 0 { "//health" } else { "//readyz" }).await.status.as_u16() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 503);
    }
}
