//! The reference model of an account's life against the service over real stores, and over HTTP against a running
//! server. A backend that is not there is reported as ignored, and as failed where `REQUIRE_BACKENDS` asks for it.
//! `MODEL_SEED` gives other sequences.

mod stages;

use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_testkit::account_model::{Harness, run_model};

use crate::stages::{OverHttp, OverMongo, OverSqlite, no_servers};

const SEED: u64 = 2027;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let mongo = match no_servers() {
        None => Trial::test("account_model[mongo]", || play::<OverMongo>(8, 50)),
        Some(missing) if required("mongo") => Trial::test("account_model[mongo]", move || Err(Failed::from(missing))),
        Some(_) => Trial::test("account_model[mongo]", || Ok(())).with_ignored_flag(true),
    };
    let embedded = Trial::test("account_model[embedded]", || play::<OverSqlite>(30, 100));
    let http = Trial::test("account_model[http]", || play::<OverHttp>(20, 100));
    Ok(libtest_mimic::run(&arguments, vec![embedded, mongo, http]).exit_code())
}

#[expect(clippy::disallowed_methods, reason = "a test runner is told by its environment what to insist on")]
fn required(name: &str) -> bool {
    std::env::var("REQUIRE_BACKENDS").unwrap_or_default().split(',').any(|wanted| wanted.trim() == name)
}

#[expect(clippy::disallowed_methods, reason = "a test runner is told by its environment which lives to play")]
fn seed() -> u64 {
    std::env::var("MODEL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}

fn play<S: Harness>(number: u32, steps: usize) -> Result<(), Failed> {
    let stats = run_model::<S>(number, steps, seed())?;
    println!("{stats}");
    Ok(())
}
