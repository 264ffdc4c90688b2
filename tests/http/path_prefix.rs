//! `PUBLIC_URL` with a path: everything that the server links to is below it, whether the proxy in front removes the path
//! or not.

use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;

/// The paths that a page links to.
fn links(page: &str) -> Vec<String> {
    let values = ["href=\"", "src=\"", "action=\""]
        .map(|start| page.split(start).skip(1).map(|rest| rest.split('"').next().unwrap()));
    values.into_iter().flatten().filter(|link| !link.contains("://")).map(str::to_owned).collect()
}

/// The address that a browser opens for a link of the page at `path`.
fn resolved(path: &str, link: &str) -> String {
    reqwest::Url::parse("https://example.com").unwrap().join(path).unwrap().join(link).unwrap().path().to_owned()
}

#[tokio::test]
async fn every_link_of_every_page_is_below_the_path() {
    let server = TestServer::start_with(&[("PUBLIC_URL", "https://example.com/auth")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let token = token_of(&api.mail("mail_email_verify", &person.email).await);
    let verify = format!("/User1/verify?token={token}");
    let pages = ["/", "/docs", "/redoc", "/scalar", "/problems", "/problems/invalid_token", "/dev/mailbox", "/demo/"];
    for path in pages.into_iter().chain([verify.as_str(), "/User1/reset_password_form?token=x", "/nowhere"]) {
        // as a proxy passes it on: with the path, and without it
        for asked in [path.to_owned(), format!("/auth{path}")] {
            let page = api.send(api.request(Method::GET, &format!("/{asked}")).header("accept", "text/html")).await;
            let links = links(&page.text);
            assert!(page.status.as_u16() != 404 || path == "/nowhere", "{asked}");
            assert!(!links.is_empty(), "{asked}: {}", page.text);
            for link in links.iter().map(|link| resolved(&format!("/auth{path}"), link)) {
                let below = link.strip_prefix("/auth/").unwrap_or_else(|| panic!("{asked} links to {link}"));
                let answer = api.get(&format!("//{below}")).await;
                assert!(answer.status.as_u16() != 404 && !answer.status.is_server_error(), "{asked}: {link}");
            }
        }
    }
}

#[tokio::test]
async fn an_account_is_made_with_and_without_the_path() {
    let server = TestServer::start_with(&[("PUBLIC_URL", "https://example.com/auth")]).await;
    let api = server.realm("User1");
    for (prefix, email) in [("", "ada@example.com"), ("//auth/User1", "bob@example.com")] {
        let person = Person::named(email);
        let at = |path: &str| format!("{prefix}{path}");
        let _ = api.post(&at("/create"), &person.form).await.expect(201);
        let mail = api.mail("mail_email_verify", email).await;
        assert!(mail["links"][0].as_str().unwrap().starts_with("https://example.com/auth/User1/verify?token="));
        let _ = api.post(&at("/verify"), &json!({"token": token_of(&mail)})).await.expect(200);
        let login = [("username", email), ("password", person.password.as_str())];
        let pair = api.form(&at("/login"), &login).await.expect(200);
        let api = api.with_token(&pair.member("access_token"));
        assert_eq!(api.get(&at("/")).await.expect(200).json()["email"], email);
        let refused = api.get(&at("/sessions/x")).await;
        assert_eq!(refused.json()["type"], "/auth/problems/method_not_allowed", "{}", refused.text);
    }
    let document = api.get("//auth/openapi.json").await.expect(200).json();
    assert_eq!(document["servers"], json!([{"url": "/auth"}]));
    for path in
        ["//.well-known/oauth-authorization-server/auth/User1", "//auth/.well-known/oauth-authorization-server/User1"]
    {
        let metadata = api.get(path).await.expect(200).json();
        assert_eq!(metadata["issuer"], "https://example.com/auth/User1", "{path}");
    }
    let _ = api.get("//authority/User1/").await.expect(404);
}
