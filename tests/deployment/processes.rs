//! Real processes on MongoDB and Redis: one is killed, the other goes on, and nothing is lost.

use portcullis_tests::record_macs;
use std::time::Duration;

use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_core::ports::job_queue::JobQueue as _;
use portcullis_tests::process::Process;
use portcullis_tests::{Person, on_servers};
use serde_json::json;

const ROUNDS: u64 = 10;

async fn jobs_waiting(settings: &[(String, String)]) -> usize {
    let of = |name: &str| settings.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let mongo =
        MongoDbSettings { url: of("MONGO_URL"), database: of("MONGO_DB"), validate_certificates: true, ca_file: None };
    let depth = MongoDb::connect(&mongo, &record_macs::of_ring(&[1])).await.unwrap().depth().await.unwrap();
    usize::try_from(depth.waiting).unwrap()
}

pub async fn a_killed_instance_loses_nothing() {
    let (folder, settings) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let other = Process::start(folder.path(), &settings);
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut one = Process::start(folder.path(), &settings);
        let api = one.api.clone();
        // in the midst of the work, at another moment each round
        let working = tokio::spawn(async move {
            let mut done = Vec::new();
            for number in 0.. {
                let person = Person::named(&format!("r{round}n{number}@example.com"));
                let asked = api.request(reqwest::Method::POST, "/create").json(&person.form).send().await;
                match asked {
                    Ok(answer) if answer.status() == 201 => done.push(person),
                    _ => return done,
                }
            }
            done
        });
        tokio::time::sleep(Duration::from_millis(150 + round * 17)).await;
        one.kill();
        acknowledged.extend(working.await.unwrap());
    }
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    for person in &acknowledged {
        let answer = other.api.login(&person.email, &person.password).await;
        assert_eq!(answer.expect(403).code(), "email_not_verified", "{}", person.email);
    }
    // what was sent and what is still to be sent: nothing fell between
    let sent = other.api.mailbox().await.len();
    let waiting = jobs_waiting(&settings).await;
    assert!(sent + waiting >= acknowledged.len(), "{sent} sent, {waiting} waiting, {} asked", acknowledged.len());
}

pub async fn a_logout_reaches_the_other_process() {
    let (folder, settings) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let (one, other) = (Process::start(folder.path(), &settings), Process::start(folder.path(), &settings));
    let (here, refresh) = one.api.logged_in(&Person::john()).await;
    let there = other.api.with_token(here.token.as_deref().unwrap());
    let _ = there.get("/").await.expect(200);
    let _ = there.post("/logout", &json!({})).await.expect(200);
    let _ = here.get("/").await.expect(401);
    let _ = one.api.refresh(&refresh).await.expect(400);
}
