//! More logins at once than the queue takes: which are shed and how quickly, whether profile reads go on, and
//! whether disconnected clients make room.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::client::{Answer, Connection, address, login};
use crate::paced;

/// More than run and wait with the default queue on any machine that this is meant for.
const FILL: usize = 200;

/// So many logins at once, with connections that are open already.
pub async fn run(server: &str, password: &str, count: usize) -> Result<Value> {
    let token = token(server, password).await?;
    let reads = {
        let (server, token) = (server.to_owned(), token.clone());
        tokio::spawn(async move { paced::reads(&server, &token, 100.0, 2.0).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answers = storm(server, password, count).await?;
    let mut reads = reads.await??;
    reads.times.sort_by(f64::total_cmp);
    let times = |status: u16| {
        let mut times: Vec<f64> = answers.iter().filter(|one| one.status == status).map(|one| one.ms).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (through, shed) = (times(200), times(503));
    let told = answers.iter().filter(|one| one.status == 503 && one.head.contains("\r\nretry-after:")).count();
    let (refused, freed) = hang_up(server, password).await?;
    Ok(json!({
        "logins": count, "served": through.len(), "shed": shed.len(), "other": count - through.len() - shed.len(),
        "shed_with_retry_after": told,
        "shed_ms": {"p50": paced::percentile(&shed, 0.5), "p99": paced::percentile(&shed, 0.99), "max": paced::percentile(&shed, 1.0)},
        "last_served_ms": paced::percentile(&through, 1.0),
        "reads_ms": {"p50": paced::percentile(&reads.times, 0.5), "p99": paced::percentile(&reads.times, 0.99)},
        "reads_refused": reads.refused,
        "full_then": refused.status, "after_hang_up": freed.status, "after_hang_up_ms": freed.ms,
    }))
}

/// Somebody's token. The round before may have left a database with more to do than it can within a moment.
async fn token(server: &str, password: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        let answer = Connection::open(server).await?.ask(&login(&address(1), password)).await?;
        if answer.status != 503 || began.elapsed() > Duration::from_secs(60) {
            return answer.text("access_token");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn storm(server: &str, password: &str, count: usize) -> Result<Vec<Answer>> {
    let begin = Arc::new(Barrier::new(count));
    let mut logins = Vec::with_capacity(count);
    for number in 1..=count {
        let mut connection = Connection::open(server).await?;
        let (begin, request) = (begin.clone(), login(&address(number), password));
        logins.push(tokio::spawn(async move {
            begin.wait().await;
            connection.ask(&request).await
        }));
    }
    let mut answers = Vec::with_capacity(count);
    for one in logins {
        answers.push(one.await??);
    }
    Ok(answers)
}

/// Sends more than the queue takes, and one more; what that was answered, and those that wait.
async fn fill(server: &str, password: &str, one: &mut Connection) -> Result<(Answer, Vec<Connection>)> {
    let mut waiting = Vec::with_capacity(FILL);
    for _ in 0..FILL {
        waiting.push(Connection::open(server).await?);
    }
    for (number, connection) in (1..).zip(&mut waiting) {
        connection.send(&login(&address(number), password)).await?;
    }
    Ok((one.ask(&login(&address(1), password)).await?, waiting))
}

/// Fills the queue, is refused, hangs up everything that waits, and is served.
async fn hang_up(server: &str, password: &str) -> Result<(Answer, Answer)> {
    let mut one = Connection::open(server).await?;
    let (mut refused, mut waiting) = fill(server, password, &mut one).await?;
    // a hash that was done at that very moment has made room: once more
    for _ in 0..5 {
        if refused.status == 503 {
            break;
        }
        (refused, waiting) = fill(server, password, &mut one).await?;
    }
    drop(waiting);
    // the server has to hear of it first
    let (began, mut last) = (Instant::now(), None);
    while began.elapsed() < Duration::from_secs(5) {
        let asked = one.ask(&login(&address(1), password)).await?;
        let done = asked.status == 200;
        last = Some(Answer { ms: began.elapsed().as_secs_f64() * 1000.0, ..asked });
        if done {
            break;
        }
    }
    Ok((refused, last.context("no answer")?))
}
