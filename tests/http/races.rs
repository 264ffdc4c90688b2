//! Concurrent requests: one wins, no user is logged out, nothing is counted twice.

use std::sync::Arc;

use portcullis_tests::api::token_of;
use portcullis_tests::{Answer, Api, Person, TestServer};
use serde_json::json;
use tokio::task::JoinSet;

/// The same request from that many clients at once.
async fn at_once<F, Fut>(count: usize, request: F) -> Vec<Answer>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let mut running = JoinSet::new();
    for number in 0..count {
        running.spawn(request(number));
    }
    running.join_all().await
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

async fn post(api: Api, path: &'static str, body: serde_json::Value) -> Answer {
    api.post(path, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_links_of_thirty_registrations_make_one_account() {
    let server = TestServer::start_with(&[("HASH_QUEUE", "200")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let answers = at_once(30, |_| post(api.clone(), "/create", person.form.clone())).await;
    assert_eq!(count(&answers, 201), 30);
    let mails = api.mails("mail_email_verify", &person.email, 5).await;
    let tokens: Vec<String> = mails.iter().map(token_of).collect();
    let link = |n: usize| json!({"token": tokens[n % tokens.len()], "password": person.password});
    let answers = at_once(50, |n| post(api.clone(), "/verify", link(n))).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_one_link_code_or_otp_have_one_winner() {
    let server = TestServer::start_with(&[("HASH_QUEUE", "200")]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let id = api.verified(&person).await;
    let _ = api.post("/forget_password", &json!({"email": person.email})).await.expect(202);
    let token = token_of(&api.mail("mail_password_reset", &person.email).await);
    let reset = |n: usize| json!({"token": token, "password": format!("an-entirely-Other-one-{n}")});
    let answers = at_once(50, |n| post(api.clone(), "/reset_password", reset(n))).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));

    let challenge = api.post("/otp_phone", &json!({"id": id, "phone": "+1234567890"})).await.expect(202);
    let otp = api.mail("otp", "+1234567890").await["code"].as_str().unwrap().to_owned();
    let body = json!({"token": challenge.member("token"), "otp": otp});
    let answers = at_once(50, |_| post(api.clone(), "/verify_otp_phone", body.clone())).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));

    let jane = Person::named("jane@example.com");
    let _ = api.post("/create", &jane.form).await.expect(201);
    let code = api.mail("mail_email_verify", &jane.email).await["code"].as_str().unwrap().to_owned();
    let body = json!({"email": jane.email, "code": code});
    let answers = at_once(50, |_| post(api.clone(), "/verify", body.clone())).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_guesses_at_once_are_five() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let challenge = api.post("/otp_phone", &json!({"id": id, "phone": "+1234567890"})).await.expect(202);
    let token = challenge.member("token");
    let right: usize = api.mail("otp", "+1234567890").await["code"].as_str().unwrap().parse().unwrap();
    // every one of them wrong; then the right one comes too late
    let guess = |n: usize| json!({"token": token, "otp": format!("{:06}", (right + 1 + n) % 1_000_000)});
    let answers = at_once(50, |n| post(api.clone(), "/verify_otp_phone", guess(n))).await;
    assert_eq!(count(&answers, 400), 50);
    let body = json!({"token": token, "otp": format!("{right:06}")});
    let _ = api.post("/verify_otp_phone", &body).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_refreshes_leave_one_valid_token_and_end_no_session() {
    let server = TestServer::start().await;
    let api = Arc::new(server.realm("User1"));
    let (_, refresh) = api.logged_in(&Person::john()).await;
    let answers = at_once(50, |_| {
        let (api, refresh) = (api.clone(), refresh.clone());
        async move { api.refresh(&refresh).await }
    })
    .await;
    assert_eq!(count(&answers, 200), 50);
    let mut successors: Vec<String> = answers.iter().map(|answer| answer.member("refresh_token")).collect();
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let next = api.refresh(&successors[0]).await.expect(200);
    let _ = api.with_token(&next.member("access_token")).get("/").await.expect(200);
}
