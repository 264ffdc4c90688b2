//! The operator's own look of pages and mails: `APP_URL`, `APP_LOGO`, `APP_COLOR`.

use portcullis_tests::api::{Answer, token_of};
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::json;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n not much of a picture";

async fn page(api: &Api, path: &str) -> Answer {
    api.send(api.request(Method::GET, path).header("accept", "text/html")).await
}

#[tokio::test]
async fn pages_and_mails_have_the_logo_the_colour_and_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.png");
    std::fs::write(&logo, PNG).unwrap();
    let server = TestServer::start_with(&[
        ("PUBLIC_URL", "https://example.com/auth"),
        ("APP_URL", "https://app.example.com/start"),
        ("APP_LOGO", logo.to_str().unwrap()),
        ("APP_COLOR", "#8A1C7C"),
    ])
    .await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let mail = api.mail("mail_email_verify", &person.email).await;
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("<img src=\"https://example.com/auth/assets/logo\""), "{html}");
    assert!(html.contains("background: #8a1c7c") && !html.contains("#1b625b"), "{html}");
    assert!(html.contains("<a href=\"https://app.example.com/start\">Back to Portcullis</a>"), "{html}");

    let verify = format!("/verify?token={}", token_of(&mail));
    for path in [verify.as_str(), "/reset_password_form?token=x", "/undo?token=x", "//problems", "//", "//nowhere"] {
        let page = page(&api, path).await;
        assert!(page.text.contains("<img src=\"/auth/assets/logo\""), "{path}: {}", page.text);
        let back = "<a href=\"https://app.example.com/start\">Back to Portcullis</a>";
        assert!(page.text.contains(back), "{path}: {}", page.text);
    }
    let logo = api.get("//assets/logo").await.expect(200);
    assert_eq!(logo.header("content-type"), "image/png");
    // mails are read on other sites
    assert_eq!(logo.header("cross-origin-resource-policy"), "cross-origin");
    let css = api.get("//assets/pages.css").await.expect(200);
    assert!(css.text.trim_end().ends_with('}') && css.text.contains(":root { --accent: #8a1c7c;"));
}

#[tokio::test]
async fn without_an_application_every_page_leads_to_the_start_page() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for path in ["/verify?token=x", "/undo?token=x", "//problems", "//problems/not_found", "//nowhere", "//dev/mailbox"]
    {
        let page = page(&api, path).await;
        assert!(page.text.contains("<a href=\"/\">Back to Portcullis</a>"), "{path}: {}", page.text);
        assert!(!page.text.contains("assets/logo"), "{path}");
    }
    let _ = api.get("//assets/logo").await.expect(404);
    let mail = {
        let _ = api.post("/create", &Person::john().form).await.expect(201);
        api.mail("mail_email_verify", &Person::john().email).await
    };
    assert!(!mail["html"].as_str().unwrap().contains("<img"));
}

#[tokio::test]
async fn only_pages_with_a_password_field_may_run_scripts() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (_, person) = (api.verified(&Person::john()).await, Person::john());
    let _ = api.post("/forget_password", &json!({"email": person.email})).await.expect(202);
    let token = token_of(&api.mail("mail_password_reset", &person.email).await);
    let reset = page(&api, &format!("/reset_password_form?token={token}")).await.expect(200);
    let policy = reset.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self' 'wasm-unsafe-eval'") && policy.contains("trusted-types 'none'"),
        "{policy}"
    );
    assert!(reset.text.contains("<portcullis-password-meter for=\"password\""), "{}", reset.text);
    for path in ["/verify?token=x", "//problems", "//nowhere", "//"] {
        let other = page(&api, path).await;
        let policy = other.header("content-security-policy");
        assert!(!policy.contains("script-src") && policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!other.text.contains("<script"), "{path}");
    }
    for file in ["pages.js", "inter.woff2", "fraunces.woff2", "pkg/web/meter.js", "pkg/wasm/strength.wasm"] {
        let _ = api.send(api.request(Method::HEAD, &format!("//assets/{file}"))).await.expect(200);
    }
}
