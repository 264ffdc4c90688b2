//! Fuzzing for a given time, from a new seed each time. `cargo test` runs the same targets for seconds, from one seed.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use crate::commands::{cargo, step};

/// Seconds for each target in `ci-full`.
const SECONDS: u64 = 60;

/// Fuzzes every target as long as `ci-full` does.
///
/// # Errors
/// When an invariant is broken.
pub fn run() -> Result<()> {
    run_for(SECONDS)
}

/// Fuzzes every target for so many seconds.
///
/// # Errors
/// When an invariant is broken; the input is in the temporary folder.
pub fn run_for(seconds: u64) -> Result<()> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock")?.as_secs();
    println!("==> FUZZ_SEED={seed}");
    let mut command =
        cargo(&["test", "--package", "portcullis-fuzz", "--test", "fuzz", "--no-fail-fast", "--", "--nocapture"]);
    command.env("FUZZ_SECONDS", seconds.to_string()).env("FUZZ_SEED", seed.to_string());
    step(&format!("fuzz every target for {seconds} s"), command)
}
