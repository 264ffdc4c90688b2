//! Texts and calls by Twilio, and its refusals.

use std::time::Duration;

use portcullis_tests::twilio_stub::{Refusal, TwilioStub};
use portcullis_tests::{Api, Person, TestServer};
use serde_json::{Value, json};

/// A server that sends by the stub, and the id of a person with a phone.
async fn sending(wanted: &[(&str, &str)]) -> (TestServer, TwilioStub, Api, String) {
    let stub = TwilioStub::start().await;
    let settings = [stub.settings().as_slice(), wanted].concat();
    let server = TestServer::start_with(&settings).await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    (server, stub, api, id)
}

async fn ask(api: &Api, id: &str, channel: &str) -> String {
    let asked = json!({"id": id, "phone": "+1234567890", "channel": channel});
    api.post("/otp_phone", &asked).await.expect(202).member("token")
}

/// Waits until the stub has been asked so often.
async fn asked(stub: &TwilioStub, count: usize) {
    let reached = async {
        while stub.seen().1 < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("Twilio is asked in time");
}

#[tokio::test]
async fn a_text_and_a_call_carry_the_code() {
    let (_server, stub, api, id) = sending(&[]).await;
    let token = ask(&api, &id, "sms").await;
    asked(&stub, 1).await;
    let text = stub.seen().0[0].clone();
    assert_eq!(text.resource, "Messages.json");
    assert_eq!((text.form["To"].as_str(), text.form["From"].as_str()), ("+1234567890", "+15550001111"));
    let otp: String = text.form["Body"].chars().take(6).collect();
    let _ = api.post("/verify_otp_phone", &json!({"token": token, "otp": otp})).await.expect(200);
    let health = api.get("//health").await.expect(200).json();
    assert_eq!(health["services"]["sms"], "healthy");
    // the mailbox keeps a copy
    let copy = api.mail("otp", "+1234567890").await;
    assert_eq!(copy["code"], Value::String(otp));

    let token = ask(&api, &id, "voice").await;
    asked(&stub, 2).await;
    let call = stub.seen().0[1].clone();
    assert_eq!(call.resource, "Calls.json");
    let spoken = &call.form["Twiml"];
    assert!(spoken.starts_with("<Response><Say>") && spoken.ends_with("</Say></Response>"), "{spoken}");
    let digits: String = spoken.chars().filter(char::is_ascii_digit).take(12).collect();
    assert_eq!(digits[..6], digits[6..], "read twice");
    let _ = api.post("/verify_otp_phone", &json!({"token": token, "otp": digits[..6]})).await.expect(200);
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_wants_to() {
    let (server, stub, api, id) = sending(&[]).await;
    stub.refuse(Refusal { status: 429, code: 20_429, retry_after: Some(90) });
    stub.refuse(Refusal { status: 500, code: 20_500, retry_after: None });
    let token = ask(&api, &id, "sms").await;
    // when it is due again is written down after the answer: time passes then
    server.metric("portcullis_jobs_total{outcome=\"later\"}", 1).await;
    server.advance(Duration::from_secs(80));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(stub.seen().1, 1, "not before it wants to be asked");
    server.advance(Duration::from_secs(20));
    server.metric("portcullis_jobs_total{outcome=\"later\"}", 2).await;
    server.advance(Duration::from_secs(10));
    asked(&stub, 3).await;
    let body = stub.seen().0[0].form["Body"].clone();
    let otp: String = body.chars().take(6).collect();
    let _ = api.post("/verify_otp_phone", &json!({"token": token, "otp": otp})).await.expect(200);
}

#[tokio::test]
async fn a_number_that_wants_no_texts_is_final() {
    let (server, stub, api, id) = sending(&[]).await;
    for (number, code) in [21_610, 21_211, 21_408].into_iter().enumerate() {
        stub.refuse(Refusal { status: 400, code, retry_after: None });
        let _ = ask(&api, &id, "sms").await;
        asked(&stub, number + 1).await;
    }
    let dead = async {
        loop {
            let letters = server.service().ports.jobs.list_dead_letters(None, 10).await.unwrap();
            if letters.len() == 3 {
                return letters;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let dead = tokio::time::timeout(Duration::from_secs(10), dead).await.expect("three dead letters");
    assert!(dead.iter().any(|letter| letter.reason.contains("21610")));
    assert!(dead.iter().all(|letter| !letter.reason.contains("1234567890")), "{dead:?}");
}

#[tokio::test]
async fn wrong_credentials_wait_for_the_operator() {
    let (server, stub, api, id) = sending(&[("TWILIO_AUTH_TOKEN", "00000000000000000000000000000001")]).await;
    let _ = ask(&api, &id, "sms").await;
    asked(&stub, 1).await;
    let service = server.service();
    assert!(service.ports.jobs.list_dead_letters(None, 10).await.unwrap().is_empty());
    assert_eq!(service.ports.jobs.depth().await.unwrap().waiting, 1);
    let health = api.get("//health").await.expect(200).json();
    assert_eq!((&health["services"]["sms"], &health["status"]), (&json!("unhealthy"), &json!("degraded")));
}
