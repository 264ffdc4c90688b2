//! The rights of people, by the thousand: how many exports and deletions a second, eight at a time.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::client::{Connection, address, login, with_token};

const CONCURRENT_REQUESTS: usize = 8;

/// Logs so many made-up users in, exports all of them, deletes all of them.
pub async fn run(server: &str, password: &str, count: usize) -> Result<Value> {
    let logins: Vec<String> = (1..=count).map(|number| login(&address(number), password)).collect();
    let tokens = all(server, logins, |body| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        body["access_token"].as_str().unwrap_or_default().to_owned()
    });
    let tokens = tokens.await?.1;
    let requests = |method: &str, path: &str| tokens.iter().map(|token| with_token(method, path, token)).collect();
    let (exports, _) = all(server, requests("GET", "/User1/export"), |_| String::new()).await?;
    let (deletions, _) = all(server, requests("DELETE", "/User1/delete"), |_| String::new()).await?;
    Ok(json!({"users": count, "exports": exports, "deletions": deletions}))
}

/// Sends all of them; how many a second, and what is wanted of each answer.
async fn all(server: &str, requests: Vec<String>, wanted: fn(&str) -> String) -> Result<(f64, Vec<String>)> {
    let (began, count) = (Instant::now(), requests.len());
    let mut workers = Vec::new();
    for part in requests.chunks(count.div_ceil(CONCURRENT_REQUESTS)) {
        let (mut connection, part) = (Connection::open(server).await?, part.to_vec());
        workers.push(tokio::spawn(async move {
            let mut found = Vec::with_capacity(part.len());
            for request in part {
                let answer = connection.ask(&request).await?;
                ensure!(answer.status < 300, "{} {}", answer.status, answer.body);
                found.push(wanted(&answer.body));
            }
            Ok(found)
        }));
    }
    let mut found = Vec::with_capacity(count);
    for worker in workers {
        found.extend(worker.await??);
    }
    Ok((count as f64 / began.elapsed().as_secs_f64(), found))
}
