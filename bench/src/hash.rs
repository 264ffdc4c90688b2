//! The limit of every login: bare Argon2id with the server's parameters, through the same crate, a kept arena a thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde_json::{Value, json};

/// The defaults of `ARGON2_MEMORY_KIB`, `ARGON2_ITERATIONS` and `ARGON2_PARALLELISM`.
const PARAMETERS: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes for so long on so many threads.
pub fn run(threads: usize, seconds: f64) -> Result<Value> {
    let (memory, iterations, lanes) = PARAMETERS;
    let params = Params::new(memory, iterations, lanes, Some(32)).map_err(|error| anyhow!("{error}"))?;
    let done = AtomicU64::new(0);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let one = || -> Result<()> {
        let mut arena = vec![Block::default(); params.block_count()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut output = [0; 32];
        while Instant::now() < until {
            let hashed = argon2.hash_password_into_with_memory(b"a password", &[7; 16], &mut output, &mut arena);
            hashed.map_err(|error| anyhow!("{error}"))?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| -> Result<()> {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })?;
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    Ok(json!({"rate": rate, "ms": 1000.0 * threads as f64 / rate}))
}
