//! Memory and disk: idle, after many logins, with many users; and the rights of people by the thousand.

use anyhow::Result;

use super::Bench;
use super::rates::{USERS, logins};
use super::report::{Goal, Row};
use super::server::{Backend, PASSWORD, Server, Wanted};
use super::tools::{number, wrk};

/// What an arena of the default parameters takes, MiB.
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

/// Exports and deletions a second.
pub fn accounts(bench: &mut Bench) -> Result<()> {
    let count = if bench.quick { 200 } else { 1000 };
    for backend in Backend::ALL {
        let (mut exports, mut deletions) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            let server = Server::start(bench, &Wanted { name: "accounts", backend, users: USERS, settings: &[] })?;
            let found = bench.tools.ask(&["accounts", &server.address(), PASSWORD, &count.to_string()])?;
            exports.push(number(&found, "exports")?);
            deletions.push(number(&found, "deletions")?);
            drop(server);
            if backend == Backend::MongoRedis {
                // its database is not made anew, and a user is deleted once
                break;
            }
        }
        bench.report.add(Row::new("accounts", format!("{}: exports, 8 connections", backend.name()), "/s", exports));
        bench.report.add(Row::new(
            "accounts",
            format!("{}: deletions, 8 connections", backend.name()),
            "/s",
            deletions,
        ));
    }
    Ok(())
}
