//! A restart keeps everything: users, sessions, unspent links, revocations, challenges, undelivered mail.

use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::database::UnitOfWork;
use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use serde_json::json;

#[tokio::test]
async fn a_restart_keeps_everything() {
    let mut server = TestServer::start_with(&[("PUBLIC_URL", "http://auth.example.com")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let id = api.verified(&person).await;
    let (kept, kept_refresh) = api.session(&person).await;
    let (ended, ended_refresh) = api.session(&person).await;
    let _ = ended.post("/logout", &json!({})).await.expect(200);
    let jane = Person::named("jane@example.com");
    let _ = api.post("/create", &jane.form).await.expect(201);
    let unspent = token_of(&api.mail("mail_email_verify", &jane.email).await);
    let challenge =
        api.post("/otp_phone", &json!({"id": id, "phone": "+1234567890"})).await.expect(202).member("token");
    let otp = api.mail("otp", "+1234567890").await["code"].as_str().unwrap().to_owned();

    // mail that was asked for and not yet sent: the workers are gone, the job stays
    let email = server.service().email_index(
        &Realm::parse("User1").unwrap(),
        &portcullis_core::model::email::Email::parse(&person.email).unwrap(),
    );
    let asked = Task::ResetPassword { email, network: None };
    let service = server.service();
    server.stop().await;
    let job = Job {
        id: JobId::from_bytes([7; 16]),
        realm: Realm::parse("User1").unwrap(),
        task: asked,
        attempts: 0,
        created_at: service.ports.clock.now(),
        trace: None,
    };
    let work = UnitOfWork { jobs: vec![job], ..UnitOfWork::default() };
    service.ports.database.commit(work).await.unwrap().unwrap();
    drop(service);
    server.boot().await;

    let api = server.realm("User1");
    let _ = api.with_token(kept.token.as_deref().unwrap()).get("/").await.expect(200);
    let _ = api.refresh(&kept_refresh).await.expect(200);
    let _ = api.with_token(ended.token.as_deref().unwrap()).get("/").await.expect(401);
    let _ = api.refresh(&ended_refresh).await.expect(400);
    let _ = api.post("/verify", &json!({"token": unspent})).await.expect(200);
    let _ = api.post("/verify_otp_phone", &json!({"token": challenge, "otp": otp})).await.expect(200);
    let _ = api.mail("mail_password_reset", &person.email).await;
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn known_and_unknown_addresses_get_the_same_bytes_and_headers() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let id = api.verified(&person).await;
    let form = |email: &str| Person::named(email).form;
    let otp = |id: &str| json!({"id": id, "phone": "+1234567890"});
    let nobody = "usr_00000000000000000000000000000000";
    let json_of = |path: &'static str, known: serde_json::Value, unknown: serde_json::Value| (path, known, unknown);
    for (path, known, unknown) in [
        json_of("/create", form(&person.email), form("free@example.com")),
        json_of("/forget_password", json!({"email": person.email}), json!({"email": "nobody@example.com"})),
        json_of("/resend_verification", json!({"email": person.email}), json!({"email": "nobody@example.com"})),
        json_of("/otp_phone", otp(&id), otp(nobody)),
    ] {
        let ask = async |address: &str, body: &serde_json::Value| {
            let request = api.request(reqwest::Method::POST, path).header("x-forwarded-for", address.to_owned());
            shape(&api.send(request.json(body)).await)
        };
        assert_eq!(ask("198.51.100.1", &known).await, ask("198.51.100.2", &unknown).await, "{path}");
    }
    let login = async |address: &str, email: &str| {
        let request = api.request(reqwest::Method::POST, "/login").header("x-forwarded-for", address.to_owned());
        shape(&api.send(request.form(&[("username", email), ("password", "wrong")])).await)
    };
    assert_eq!(login("198.51.100.1", &person.email).await, login("198.51.100.2", "nobody@example.com").await);
}

/// An answer without what is random or a time in every answer.
fn shape(answer: &portcullis_tests::Answer) -> (u16, Vec<(String, String)>, serde_json::Value) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let fixed = headers.filter(|(name, _)| name != "date" && name != "x-request-id").collect();
    let mut body = answer.json();
    for (member, length) in [("id", 36), ("token", 43), ("request_id", 32)] {
        if let Some(text) = body.get_mut(member) {
            assert_eq!(text.as_str().map(str::len), Some(length));
            *text = json!("random");
        }
    }
    (answer.status.as_u16(), fixed, body)
}

#[tokio::test]
async fn tokens_live_as_long_as_their_secret_is_in_the_ring() {
    const OLD: &str = "nT4xQ9vKc2LmW7sRz8YbE3hJ6pAfUd5gXo1iVtGy";
    const NEW: &str = "Zq3vX8kLm2Rt7YwB5nJc9HdF4sGp6TaE1uKoVxQ0";
    for signing in ["HS256", "EdDSA", "ES256"] {
        let settings = [("PUBLIC_URL", "http://auth.example.com"), ("JWT_SECRET", OLD), ("SIGNING", signing)];
        let mut server = TestServer::start_with(&settings).await;
        let person = Person::john();
        let _ = server.realm("User1").verified(&person).await;
        let (old, old_refresh) = server.realm("User1").session(&person).await;
        let (_, unused_refresh) = server.realm("User1").session(&person).await;
        server.set("JWT_SECRET", &format!("2:{NEW},1:{OLD}"));
        server.restart().await;
        let api = server.realm("User1");
        let _ = api.with_token(old.token.as_deref().unwrap()).get("/").await.expect(200);
        let refreshed = api.refresh(&old_refresh).await.expect(200);
        let (access, refresh) = (refreshed.member("access_token"), refreshed.member("refresh_token"));
        server.set("JWT_SECRET", &format!("2:{NEW}"));
        server.restart().await;
        let api = server.realm("User1");
        let _ = api.with_token(&access).get("/").await.expect(200);
        let _ = api.refresh(&refresh).await.expect(200);
        let _ = api.with_token(old.token.as_deref().unwrap()).get("/").await.expect(401);
        let _ = api.refresh(&unused_refresh).await.expect(400);
    }
}
