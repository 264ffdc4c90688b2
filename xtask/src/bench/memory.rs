//! Memory and disk: idle, after many logins, with many users; and the rights of people by the thousand.

use anyhow::Result;

use super::Bench;
use super::rates::{USERS, logins};
use super::report::{Goal, Row};
use super::server::{Backend, PASSWORD, Server, Wanted};
use super::tools::{number, wrk};

/// The memory of an arena with the default parameters, MiB.
pub const ARENA: f64 = 19.0;

/// The embedded store's: of a database server, memory and disk are its own.
pub fn section(bench: &mut Bench) -> Result<()> {
    let wanted = |name, users| Wanted { name, backend: Backend::Embedded, users, settings: &[] };
    let server = Server::start(bench, &wanted("memory", USERS))?;
    let idle = server.memory()?;
    bench.report.add(Row::new("memory", "idle, 1,000 users", "MiB", vec![idle]).goal(Goal::AtMost(12.0)));
    let many = if bench.quick { 1000 } else { 10_000 };
    let mut done = 0.0;
    while done < f64::from(many) {
        done += number(&wrk(&logins(&server, USERS, 16, bench.seconds()))?, "requests")?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bound = 12.0 + ARENA * std::thread::available_parallelism()?.get() as f64;
    let after = Row::new("memory", format!("after {done:.0} logins"), "MiB", vec![server.memory()?]);
    bench.report.add(after.goal(Goal::AtMost(bound)));
    let few = server.bytes()?;
    drop(server);

    let users = 100_000;
    let server = Server::start(bench, &wanted("memory", users))?;
    bench.report.add(Row::new("memory", "just started, 100,000 users", "MiB", vec![server.memory()?]));
    let tokens = server.tokens("access_token", 256, users)?;
    let file = bench.tools.file("tokens", &tokens)?;
    let reads = super::rates::load(format!("{}/User1/", server.url()), "profile", vec![file], 32, bench.seconds());
    wrk(&reads)?;
    let after = Row::new("memory", "the same, logins and reads later", "MiB", vec![server.memory()?]);
    bench.report.add(after.goal(Goal::AtMost(bound)));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let a_user = (server.bytes()? as f64 - few as f64) / (users - USERS) as f64;
    bench.report.add(Row::new("memory", "on disk, a user", "bytes", vec![a_user]));
    Ok(())
}

/// Master keys, each for one round of its own.
const KEYS: [&str; 4] = [
    "uxm8uju31zxNIUvfI5S3LK6byxJpgPeihfPHfFeSaRw=",
    "ygei8K-RIASRKnAaMcWAbzW05GB3DhcoucHHNFyfmhQ=",
    "CcW4XeaT0CroPj7vwjLXgyVr_aWLlbc_F-Gg3jce2kI=",
    "_l6kwAcIuuXyK48DvOh5x1DlhxfnAiCz44b7qiLWRfg=",
];

/// The ring of a round: its key, and the one before it.
fn ring(round: usize) -> String {
    let key = |round: usize| format!("{}:{}", round + 1, KEYS[round % KEYS.len()]);
    if round == 0 { key(0) } else { format!("{},{}", key(round), key(round - 1)) }
}

/// Exports and deletions a second, the backends in turn; then keys rewrapped a second, from ring to ring.
pub fn accounts(bench: &mut Bench) -> Result<()> {
    // what speaks MongoDB's protocol here goes through all of a collection for every change: there fewer have to do
    let quick = bench.quick;
    let count = |backend| match backend {
        Backend::Embedded if !quick => 1000,
        Backend::Embedded => 200,
        Backend::MongoRedis => 100,
    };
    let mut found = Backend::ALL.map(|backend| (backend, Vec::new(), Vec::new()));
    for round in 0..bench.rounds {
        for (backend, exports, deletions) in &mut found {
            // users are deleted once: a database of its own each round
            let name = format!("accounts_{round}");
            let server = Server::start(bench, &Wanted { name: &name, backend: *backend, users: USERS, settings: &[] })?;
            let rates = bench.tools.ask(&["accounts", &server.address(), PASSWORD, &count(*backend).to_string()])?;
            exports.push(number(&rates, "exports")?);
            deletions.push(number(&rates, "deletions")?);
        }
    }
    for (backend, exports, deletions) in found {
        for (what, rates) in [("exports", exports), ("deletions", deletions)] {
            let name = format!("{}: {what}, 8 connections", backend.name());
            bench.report.add(Row::new("accounts", name, "/s", rates));
        }
    }
    rewrapping(bench)
}

/// Beside a server that is idle.
fn rewrapping(bench: &mut Bench) -> Result<()> {
    let first = ring(0);
    let mut servers = Vec::new();
    for backend in Backend::ALL {
        let users = match backend {
            Backend::Embedded if !bench.quick => 20_000,
            Backend::Embedded => 2_000,
            Backend::MongoRedis => 300,
        };
        let settings = [("ENCRYPTION_KEY", first.as_str())];
        servers.push((backend, Server::start(bench, &Wanted { name: "rewrap", backend, users, settings: &settings })?));
    }
    let mut found = vec![Vec::new(); servers.len()];
    for round in 1..=bench.rounds {
        for ((_, server), rates) in servers.iter().zip(&mut found) {
            rates.push(server.rewrap(&ring(round))?);
        }
    }
    for ((backend, _), rates) in servers.iter().zip(found) {
        bench.report.add(Row::new("accounts", format!("{}: keys rewrapped", backend.name()), "/s", rates));
    }
    Ok(())
}
