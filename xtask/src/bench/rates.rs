//! Rates: what is asked as quickly as it is answered, and what bounds it, in turn.

use anyhow::Result;

use super::Bench;
use super::report::{Goal, Row};
use super::server::{Backend, PASSWORD, Server, Wanted};
use super::tools::{Load, number, wrk};

/// Users of all rates.
pub const USERS: u64 = 1000;

/// A plain load of one URL.
pub fn load(url: String, script: &str, arguments: Vec<String>, connections: u32, seconds: u32) -> Load<'_> {
    Load { url, script, arguments, connections, a_thread_each: false, seconds }
}

/// Logins.
pub fn logins(server: &Server, users: u64, connections: u32, seconds: u32) -> Load<'static> {
    let arguments = vec![users.to_string(), PASSWORD.to_owned()];
    load(format!("{}/User1/login", server.url()), "login", arguments, connections, seconds)
}

fn both(bench: &mut Bench, name: &str) -> Result<Vec<(Backend, Server)>> {
    let start = |backend| {
        let server = Server::start(bench, &Wanted { name, backend, users: USERS, settings: &[] })?;
        Ok((backend, server))
    };
    Backend::ALL.into_iter().map(start).collect()
}

/// Logins a second, beside bare hashes.
pub fn login(bench: &mut Bench) -> Result<()> {
    let servers = both(bench, "login")?;
    let seconds = bench.seconds();
    let (mut hashes, mut rates) = (Vec::new(), vec![Vec::new(); servers.len()]);
    for _ in 0..bench.rounds {
        hashes.push(bench.tools.hashes(seconds)?);
        for ((_, server), rates) in servers.iter().zip(&mut rates) {
            rates.push(number(&wrk(&logins(server, USERS, 16, seconds))?, "rate")?);
        }
    }
    for ((backend, _), rates) in servers.iter().zip(rates) {
        let row = Row::new("login", format!("{}, 16 connections", backend.name()), "/s", rates);
        bench.report.add(row.beside("hashes/s", hashes.clone()).goal(Goal::Ratio(0.95)));
    }
    Ok(())
}

/// Profile reads a second, beside a bare handler that checks the same token.
pub fn profile(bench: &mut Bench) -> Result<()> {
    let servers = both(bench, "profile")?;
    let (seconds, (_, redis)) = (bench.seconds(), bench.services()?);
    for (backend, server) in servers {
        let tokens = server.tokens("access_token", 64, USERS)?;
        let file = bench.tools.file("tokens", &tokens)?;
        let (path, name, least, redis) = match backend {
            Backend::Embedded => ("/token", "bare /s", 0.4, None),
            Backend::MongoRedis => ("/redis", "bare with a GET /s", 0.4, Some(redis.as_str())),
        };
        let bare = bench.tools.bare(&server, redis)?;
        let (mut limits, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            let limit = load(bare.url(path), "profile", vec![file.clone()], 32, seconds);
            limits.push(number(&wrk(&limit)?, "rate")?);
            let reads = load(format!("{}/User1/", server.url()), "profile", vec![file.clone()], 32, seconds);
            rates.push(number(&wrk(&reads)?, "rate")?);
        }
        let row = Row::new("profile", format!("{}, 32 connections", backend.name()), "/s", rates);
        bench.report.add(row.beside(name, limits).goal(Goal::Ratio(least)));
    }
    Ok(())
}

/// Rotations on eight connections, each with a session of its own.
pub fn rotations(bench: &Bench, server: &Server, users: u64, seconds: u32) -> Result<f64> {
    let file = bench.tools.file("refresh-tokens", &server.tokens("refresh_token", 8, users)?)?;
    let load = load(format!("{}/User1/token", server.url()), "refresh", vec![file], 8, seconds);
    number(&wrk(&Load { a_thread_each: true, ..load })?, "rate")
}

/// Rotations a second, beside bare commits of eight changes each.
pub fn refresh(bench: &mut Bench) -> Result<()> {
    let servers = both(bench, "refresh")?;
    let (seconds, (mongo, _)) = (bench.seconds(), bench.services()?);
    let (mut writes, mut changes, mut rates) = (Vec::new(), Vec::new(), vec![Vec::new(); servers.len()]);
    for _ in 0..bench.rounds {
        writes.push(bench.tools.writes(8, seconds)?);
        changes.push(bench.tools.mongo_writes(&mongo, 8, seconds)?);
        for ((_, server), rates) in servers.iter().zip(&mut rates) {
            rates.push(rotations(bench, server, USERS, seconds)?);
        }
    }
    for ((backend, _), rates) in servers.iter().zip(rates) {
        let row = Row::new("refresh", format!("{}, 8 connections", backend.name()), "/s", rates);
        bench.report.add(match backend {
            Backend::Embedded => row.beside("writes/s, 8 a commit", writes.clone()),
            Backend::MongoRedis => row.beside("changes/s of its database, 8 at once", changes.clone()),
        });
    }
    Ok(())
}

/// Registrations on eight connections.
pub fn registrations(server: &Server, word: &str, seconds: u32) -> Result<f64> {
    let load = load(format!("{}/User1/create", server.url()), "register", vec![word.to_owned()], 8, seconds);
    number(&wrk(&Load { a_thread_each: true, ..load })?, "rate")
}

/// Registrations a second, beside bare hashes. One server after the other: the first one's mails are sent long after the
/// last registration, where its database is slow, and would be measured with the second.
pub fn register(bench: &mut Bench) -> Result<()> {
    let seconds = bench.seconds();
    for backend in Backend::ALL {
        let server = Server::start(bench, &Wanted { name: "register", backend, users: USERS, settings: &[] })?;
        let (mut hashes, mut rates) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds {
            hashes.push(bench.tools.hashes(seconds)?);
            rates.push(registrations(&server, &format!("r{round}"), seconds)?);
        }
        let row = Row::new("register", format!("{}, 8 connections", backend.name()), "/s", rates);
        bench.report.add(row.beside("hashes/s", hashes));
    }
    Ok(())
}
