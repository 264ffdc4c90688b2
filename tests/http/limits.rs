//! Rate limits: on the operation, per address, per realm; and guessing slowed down without locking owners out.

use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const ON: &[(&str, &str)] = &[("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1")];

async fn login_from(api: &Api, address: &str, email: &str, password: &str) -> portcullis_tests::Answer {
    let request = api.request(Method::POST, "/login").header("x-forwarded-for", address);
    api.send(request.form(&[("username", email), ("password", password)])).await
}

#[tokio::test]
async fn a_row_is_a_bucket_that_refills_evenly() {
    let server = TestServer::start_with(ON).await;
    let api = server.realm("User1");
    for left in (0..5).rev() {
        let answer = api.login("nobody@example.com", "x").await.expect(401);
        assert_eq!(answer.header("ratelimit-policy"), "\"login\";q=5;w=60");
        assert!(
            answer.header("ratelimit").starts_with(&format!("\"login\";r={left};t=")),
            "{}",
            answer.header("ratelimit")
        );
    }
    let refused = api.login("nobody@example.com", "x").await.expect(429);
    assert_eq!((refused.code().as_str(), refused.header("retry-after").as_str()), ("rate_limited", "12"));
    assert!(refused.json()["error"].is_string());
    // another realm, another operation, another network: other buckets
    let _ = server.realm("User2").login("nobody@example.com", "x").await.expect(401);
    let _ = api.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.expect(400);
    let _ = login_from(&api, "203.0.113.7", "nobody@example.com", "x").await.expect(401);
    server.advance(Duration::from_secs(12));
    let _ = api.login("nobody@example.com", "x").await.expect(401);
    let _ = api.login("nobody@example.com", "x").await.expect(429);
}

#[tokio::test]
async fn an_ipv6_network_counts_as_one_and_methods_share_a_bucket() {
    let server = TestServer::start_with(ON).await;
    let api = server.realm("User1");
    for host in 1..=5 {
        let _ = login_from(&api, &format!("2001:db8:1:2::{host}"), "a@example.com", "x").await.expect(401);
    }
    let _ = login_from(&api, "2001:db8:1:2:ffff::1", "b@example.com", "x").await.expect(429);
    let _ = login_from(&api, "2001:db8:1:3::1", "b@example.com", "x").await.expect(401);
    for _ in 0..2 {
        let _ = api.get("/forget_password?email=a@example.com").await.expect(202);
    }
    let _ = api.post("/forget_password", &json!({"email": "a@example.com"})).await.expect(202);
    let _ = api.get("/forget_password?email=a@example.com").await.expect(429);
}

#[tokio::test]
async fn a_stranger_that_guesses_all_the_time_does_not_keep_the_owner_off_a_new_device() {
    let server = TestServer::start_with(&[ON[0], ON[1], ("RATE_LIMIT_LOGIN", "1000/s")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.verified(&person).await;
    let mut tried = 0;
    for second in 0..600 {
        tried += u32::from(login_from(&api, "203.0.113.5", &person.email, "wrong").await.status == 401);
        server.advance(Duration::from_secs(1));
        if second == 300 {
            let _ = login_from(&api, "192.0.2.50", &person.email, &person.password).await.expect(200);
        }
    }
    assert!((15..=40).contains(&tried), "{tried} guesses in ten minutes");
    let _ = login_from(&api, "2001:db8:7::1", &person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn strangers_are_slowed_down_and_the_owner_is_not() {
    let server = TestServer::start_with(&[ON[0], ON[1], ("RATE_LIMIT_LOGIN", "1000/s")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.verified(&person).await;
    let _ = login_from(&api, "198.51.100.1", &person.email, &person.password).await.expect(200);
    for email in [person.email.as_str(), "nobody@example.com"] {
        for guess in 0..10 {
            let _ = login_from(&api, &format!("203.0.113.{guess}"), email, "wrong").await.expect(401);
        }
        let refused = login_from(&api, "203.0.113.99", email, "wrong").await.expect(429);
        assert_eq!(refused.header("retry-after"), "60");
    }
    // not even the right password helps a stranger; the owner's own address does not notice
    let _ = login_from(&api, "203.0.113.99", &person.email, &person.password).await.expect(429);
    let _ = login_from(&api, "198.51.100.1", &person.email, &person.password).await.expect(200);
    server.advance(Duration::from_secs(60));
    let _ = login_from(&api, "203.0.113.99", &person.email, "wrong").await.expect(401);
    let _ = login_from(&api, "203.0.113.99", &person.email, "wrong").await.expect(429);
}

#[tokio::test]
async fn one_a_day_survives_a_restart_and_is_not_spent_by_a_mistake() {
    let mut server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("PUBLIC_URL", "http://auth.example.com")]).await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let token = john.token.clone().unwrap();
    let _ = server.realm("User1").get("/export").await.expect(401);
    let _ = john.get("/export").await.expect(200);
    let _ = john.get("/export").await.expect(429);
    server.restart().await;
    let john = server.realm("User1").with_token(&token);
    let refused = john.get("/export").await.expect(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 86_000);
}

#[tokio::test]
async fn the_password_grant_uses_the_login_limit_too_and_pages_have_limits_of_their_own() {
    let server = TestServer::start_with(ON).await;
    let api = server.realm("User1");
    for _ in 0..5 {
        let fields = [("grant_type", "password"), ("username", "nobody@example.com"), ("password", "x")];
        let _ = api.form("/token", &fields).await.expect(400);
    }
    let _ = api.login("nobody@example.com", "x").await.expect(429);
    let fields = [("grant_type", "password"), ("username", "nobody@example.com"), ("password", "x")];
    let refused = api.form("/token", &fields).await.expect(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    let _ = api.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.expect(400);
    for _ in 0..10 {
        let _ = api.get("/verify?token=x").await.expect(400);
    }
    let _ = api.get("/verify?token=x").await.expect(429);
    let _ = api.post("/verify", &json!({"token": "x"})).await.expect(400);
}

#[tokio::test]
async fn two_people_at_one_address_have_a_day_each_and_revoking_spends_no_introspection() {
    let secret = "kJ8vQz2mXw7rTn4pLs9dHf3bYc6gEa5u";
    let clients = format!("app:{secret}@User1");
    let server = TestServer::start_with(&[ON[0], ("SERVICE_CLIENTS", &clients), ("RATE_LIMIT_REVOKE", "1/h")]).await;
    let api = server.realm("User1");
    for email in ["one@example.com", "two@example.com"] {
        let (person, _) = api.logged_in(&Person::named(email)).await;
        let _ = person.get("/export").await.expect(200);
        let _ = person.get("/export").await.expect(429);
    }
    let _ = api.form("/revoke", &[("token", "x")]).await.expect(200);
    let _ = api.form("/revoke", &[("token", "x")]).await.expect(429);
    let introspect = async |secret: &str| {
        let request = api.request(Method::POST, "/introspect").basic_auth("app", Some(secret));
        api.send(request.form(&[("token", "x")])).await
    };
    for _ in 0..100 {
        let _ = introspect("a-guess").await.expect(401);
    }
    let _ = introspect("a-guess").await.expect(429);
    let _ = introspect(secret).await.expect(200);
}

#[tokio::test]
async fn one_mail_of_a_kind_a_minute_and_five_from_one_network() {
    let server = TestServer::start_with(&[ON[0], ("RATE_LIMIT_RESEND_VERIFICATION", "1000/s")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let _ = api.mail("mail_email_verify", &person.email).await;
    let resend = async || api.post("/resend_verification", &json!({"email": person.email})).await.expect(202);
    let known = resend().await;
    server.advance(Duration::from_secs(60));
    for round in 2..=9usize {
        assert_eq!(resend().await.text, known.text);
        // another address's mail: when it is there, the others have been dealt with. A clock that moved on before that
        // would end the lease of their jobs, and they would be delivered twice
        let other = format!("jane{round}@example.com");
        let _ = api.post("/create", &Person::named(&other).form).await.expect(201);
        let _ = api.mail("mail_email_verify", &other).await;
        assert_eq!(api.mails("mail_email_verify", &person.email, round.min(5)).await.len(), round.min(5));
        server.advance(Duration::from_secs(60));
    }
    // an hour later the one that waits comes without another request
    server.advance(Duration::from_secs(3600));
    assert_eq!(api.mails("mail_email_verify", &person.email, 6).await.len(), 6);
}
