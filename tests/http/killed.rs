//! SIGKILL in the middle of a request that spends a link: the link is spent exactly if its effect exists.

use std::time::{Duration, Instant};

use portcullis_tests::api::token_of;
use portcullis_tests::process::Process;
use portcullis_tests::{Api, Person};
use reqwest::RequestBuilder;
use serde_json::json;

/// Moments of the request at which the server dies, from its beginning to its answer and a little more.
const MOMENTS: u32 = 12;
const OPERATOR_TOKEN: &str = "dW4rP9xKf2ZtQ7mLj5VbY8nHc3GsA6eT";
const NEW_PASSWORD: &str = "An0ther-SecureP@ssw0rd!";

fn start(folder: &std::path::Path) -> Process {
    Process::start(folder, &[("OPERATOR_TOKEN".to_owned(), OPERATOR_TOKEN.to_owned())])
}

/// Waits until no mail is on its way: one that a restart sends again would replace the link.
async fn all_delivered(api: &Api) {
    let operator = api.with_token(OPERATOR_TOKEN);
    let began = Instant::now();
    while operator.get("//health/detailed").await.expect(200).json()["details"]["queue"]["waiting"] != 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "mails wait");
    }
}

/// Sends a request and kills the server so long after; whether an answer came.
async fn killed_after(process: &mut Process, request: RequestBuilder, moment: Duration) -> bool {
    let answered = tokio::time::timeout(moment, request.send()).await.is_ok_and(|answer| answer.is_ok());
    process.kill();
    answered
}

/// The duration of a request without a kill.
async fn duration_of(request: RequestBuilder) -> Duration {
    let began = Instant::now();
    assert_eq!(request.send().await.unwrap().status(), 200);
    began.elapsed()
}

#[tokio::test]
async fn a_verification_link_is_spent_exactly_if_the_account_exists() {
    let folder = tempfile::tempdir().unwrap();
    let verify = |api: &Api, token: &str| {
        let request = api.request(reqwest::Method::POST, "/verify").header("accept", "application/json");
        request.json(&json!({"token": token}))
    };
    let mut usual = Duration::ZERO;
    for moment in 0..=MOMENTS {
        let mut process = start(folder.path());
        let person = Person::named(&format!("moment{moment}@example.com"));
        let _ = process.api.post("/create", &person.form).await.expect(201);
        let token = token_of(&process.api.mail("mail_email_verify", &person.email).await);
        all_delivered(&process.api).await;
        if moment == 0 {
            usual = duration_of(verify(&process.api, &token)).await;
            continue;
        }
        let request = verify(&process.api, &token);
        let answered = killed_after(&mut process, request, usual * moment / (MOMENTS - 2)).await;

        let process = start(folder.path());
        let exists = process.api.login(&person.email, &person.password).await.status == 200;
        let again = process.api.send(verify(&process.api, &token)).await;
        assert_eq!(again.status.as_u16(), if exists { 400 } else { 200 }, "moment {moment}: {}", again.text);
        assert!(exists || !answered, "moment {moment}: an acknowledged account is lost");
        let _ = process.api.login(&person.email, &person.password).await.expect(200);
    }
}

#[tokio::test]
async fn a_reset_link_is_spent_exactly_if_the_password_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let reset = |api: &Api, token: &str| {
        let request = api.request(reqwest::Method::POST, "/reset_password").header("accept", "application/json");
        request.json(&json!({"token": token, "password": NEW_PASSWORD}))
    };
    let mut usual = Duration::ZERO;
    for moment in 0..=MOMENTS {
        let mut process = start(folder.path());
        let person = Person::named(&format!("moment{moment}@example.com"));
        process.api.verified(&person).await;
        let _ = process.api.post("/forget_password", &json!({"email": person.email})).await.expect(202);
        let token = token_of(&process.api.mail("mail_password_reset", &person.email).await);
        all_delivered(&process.api).await;
        if moment == 0 {
            usual = duration_of(reset(&process.api, &token)).await;
            continue;
        }
        let request = reset(&process.api, &token);
        let answered = killed_after(&mut process, request, usual * moment / (MOMENTS - 2)).await;

        let process = start(folder.path());
        let is_new = process.api.login(&person.email, NEW_PASSWORD).await.status == 200;
        let is_old = process.api.login(&person.email, &person.password).await.status == 200;
        assert!(is_new != is_old, "moment {moment}: new {is_new}, old {is_old}");
        let again = process.api.send(reset(&process.api, &token)).await;
        assert_eq!(again.status.as_u16(), if is_new { 400 } else { 200 }, "moment {moment}: {}", again.text);
        assert!(is_new || !answered, "moment {moment}: an acknowledged password is lost");
        let _ = process.api.login(&person.email, NEW_PASSWORD).await.expect(200);
    }
}
