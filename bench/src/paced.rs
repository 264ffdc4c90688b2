//! Profile reads at a steady pace, whatever becomes of the ones before: what a person feels while others log in. Time
//! counts from when a read was due, so that a stall is not left out.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::client::{Connection, with_token};

/// Connections that take turns, so that one slow read does not hold up the next.
const CONNECTIONS: u32 = 8;

/// So many reads a second for so long.
pub async fn run(address: &str, token: &str, rate: f64, seconds: f64) -> Result<Value> {
    let Reads { mut times, refused } = reads(address, token, rate, seconds).await?;
    times.sort_by(f64::total_cmp);
    Ok(json!({
        "reads": times.len(), "refused": refused, "p50": percentile(&times, 0.5), "p99": percentile(&times, 0.99),
        "max": percentile(&times, 1.0),
    }))
}

/// Reads as they came.
#[derive(Default)]
pub struct Reads {
    /// How long each took, refused or not, in milliseconds.
    pub times: Vec<f64>,
    /// How many were answered with 503, as when a database does not answer in time.
    pub refused: u32,
}

/// The same, as they came.
pub async fn reads(address: &str, token: &str, rate: f64, seconds: f64) -> Result<Reads> {
    let request = with_token("GET", "/User1/", token);
    let between = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let began = Instant::now() + Duration::from_millis(50);
    let until = began + Duration::from_secs_f64(seconds);
    let readers: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (address, request) = (address.to_owned(), request.clone());
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut due = began + between * number / CONNECTIONS;
                let mut reads = Reads::default();
                while due < until {
                    wait_until(due).await?;
                    connection.send(&request).await?;
                    let answer = connection.answer(due).await?;
                    ensure!(matches!(answer.status, 200 | 503), "a profile read was answered with {}", answer.status);
                    reads.refused += u32::from(answer.status == 503);
                    reads.times.push(answer.ms);
                    due += between;
                }
                Ok::<_, anyhow::Error>(reads)
            })
        })
        .collect();
    let mut all = Reads::default();
    for reader in readers {
        let Reads { times, refused } = reader.await??;
        all.times.extend(times);
        all.refused += refused;
    }
    Ok(all)
}

/// To the tenth of a millisecond, which the runtime's own clock does not know: it counts whole ones.
async fn wait_until(due: Instant) -> Result<()> {
    let sleep = move || std::thread::sleep(due.saturating_duration_since(Instant::now()));
    Ok(tokio::task::spawn_blocking(sleep).await?)
}

/// A percentile of sorted values.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between nothing and the last")]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
