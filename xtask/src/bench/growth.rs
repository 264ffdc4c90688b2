//! Growth: the same requests with a thousand, a hundred thousand and a million users, in turn. Hashes are as cheap as
//! they can be here, so that what the store costs is not hidden behind them.

use anyhow::Result;

use super::Bench;
use super::rates::{load, logins, registrations, rotations};
use super::report::{Goal, Row};
use super::server::{Backend, Server, Wanted};
use super::tools::{number, wrk};

const CHEAP: &[(&str, &str)] = &[("ARGON2_MEMORY_KIB", "8"), ("ARGON2_ITERATIONS", "1")];
/// The last should be within this of the first.
const WITHIN: f64 = 1.0 / 1.3;

/// The embedded store's.
pub fn section(bench: &mut Bench) -> Result<()> {
    let sizes: &[u64] = if bench.quick { &[1000, 100_000] } else { &[1000, 100_000, 1_000_000] };
    let mut servers = Vec::new();
    for users in sizes {
        let name = format!("growth-{users}");
        println!("making {users} users");
        let wanted = Wanted { name: &name, backend: Backend::Embedded, users: *users, settings: CHEAP };
        servers.push((*users, Server::start(bench, &wanted)?));
    }
    let kinds = ["profile reads", "logins, cheap hash", "registrations, cheap hash", "rotations"];
    let mut found = vec![vec![Vec::new(); servers.len()]; kinds.len()];
    for round in 0..bench.rounds {
        for (at, (users, server)) in servers.iter().enumerate() {
            let rates = rates(bench, server, *users, round)?;
            for (values, rate) in found.iter_mut().zip(rates) {
                values[at].push(rate);
            }
        }
    }
    for (kind, mut of_sizes) in kinds.into_iter().zip(found) {
        let first = of_sizes.remove(0);
        bench.report.add(Row::new("growth", format!("{kind}, 1,000 users"), "/s", first.clone()));
        for ((users, _), rates) in servers.iter().skip(1).zip(of_sizes) {
            let row = Row::new("growth", format!("{kind}, {users} users"), "/s", rates);
            bench.report.add(row.beside("with 1,000", first.clone()).goal(Goal::Ratio(WITHIN)));
        }
    }
    Ok(())
}

fn rates(bench: &Bench, server: &Server, users: u64, round: usize) -> Result<[f64; 4]> {
    let seconds = bench.seconds();
    let file = bench.tools.file("tokens", &server.tokens("access_token", 512, users)?)?;
    let reads = load(format!("{}/User1/", server.url()), "profile", vec![file], 32, seconds);
    Ok([
        number(&wrk(&reads)?, "rate")?,
        number(&wrk(&logins(server, users, 16, seconds))?, "rate")?,
        registrations(server, &format!("g{round}"), seconds)?,
        rotations(bench, server, users, seconds)?,
    ])
}
