//! Access to the development mailbox.

use portcullis_tests::{Api, TestServer};
use reqwest::Method;

async fn status(api: &Api, headers: &[(&str, String)]) -> u16 {
    let request = api.request(Method::GET, "//dev/mailbox").header("accept", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let answer = api.send(request).await;
    if answer.status == 404 {
        assert_eq!(answer.code(), "not_found");
    }
    answer.status.as_u16()
}

#[tokio::test]
async fn the_mailbox_answers_only_requests_from_and_to_loopback() {
    let server = TestServer::start().await;
    let (api, port) = (server.realm("User1"), server.address().port());
    for host in
        [format!("localhost:{port}"), format!("[::1]:{port}"), format!("127.0.0.1:{port}"), "foo.localhost".into()]
    {
        assert_eq!(status(&api, &[("host", host.clone())]).await, 200, "{host}");
    }
    // DNS rebinding: a page's own name that resolves to 127.0.0.1
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), format!("localhost.evil.example:{port}")] {
        assert_eq!(status(&api, &[("host", host.clone())]).await, 404, "{host}");
    }
    for name in ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"] {
        assert_eq!(status(&api, &[(name, "127.0.0.1".to_owned())]).await, 404, "{name}");
    }
    let elsewhere = api.request(Method::POST, "//dev/mailbox").header("host", "evil.example");
    let _ = api.send(elsewhere).await.expect(404);
}

#[tokio::test]
async fn dev_mailbox_any_answers_everyone() {
    let server = TestServer::start_with(&[("DEV_MAILBOX", "any")]).await;
    let api = server.realm("User1");
    let headers = [("host", "evil.example".to_owned()), ("x-forwarded-for", "192.0.2.1".to_owned())];
    assert_eq!(status(&api, &headers).await, 200);
}
