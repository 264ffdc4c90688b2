//! Thousands of hostile connections from a second process, while somebody logs in and a balancer asks for the health:
//! both are served, and memory stays below the documented bound.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::memory::ARENA;
use super::report::{Goal, Row};
use super::server::{Backend, Server, Wanted, ask};
use super::tools::number;

const CONNECTIONS: &str = "10000";
const KINDS: [&str; 6] = ["idle", "slow-head", "slow-body", "slow-reader", "huge-headers", "big-answers"];
/// From how many addresses, and the limit of one: the default, and none.
const ADDRESSES: [(&str, &str); 2] = [("10000", "256"), ("40", "8192")];
/// Seconds until every connection was opened once.
const WARM_UP: u64 = 10;
/// The documented bound with the default settings, MiB: 40, an arena of 19 for each hashing thread, 56 KiB a connection.
const BASE: f64 = 40.0 + 8192.0 * 56.0 / 1024.0;

/// A minute of each kind.
pub fn section(bench: &mut Bench) -> Result<()> {
    let seconds = if bench.quick { 10 } else { 60 };
    for (addresses, limit) in ADDRESSES {
        for kind in KINDS {
            let settings = [("MAX_CONNECTIONS_PER_ADDRESS", limit)];
            let wanted = Wanted { name: "hostile", backend: Backend::Embedded, users: 1000, settings: &settings };
            let server = Server::start(bench, &wanted)?;
            let duration = (WARM_UP + seconds).to_string();
            let arguments = ["hostile", &server.address(), kind, CONNECTIONS, addresses, &duration];
            let attack = bench.tools.start(&arguments)?;
            std::thread::sleep(Duration::from_secs(WARM_UP));
            let measured = ask_as_others(&server, Duration::from_secs(seconds));
            let output = attack.wait_with_output()?;
            let counts: Value = serde_json::from_slice(&output.stdout)?;
            report(bench, &server, (addresses, kind), (&measured?, &counts))?;
        }
    }
    Ok(())
}

/// Milliseconds of the logins and of the probes.
struct Latencies {
    logins: Vec<f64>,
    probes: Vec<f64>,
}

/// One login and one probe a second.
fn ask_as_others(server: &Server, duration: Duration) -> Result<Latencies> {
    let (began, mut measured) = (Instant::now(), Latencies { logins: Vec::new(), probes: Vec::new() });
    while began.elapsed() < duration {
        let round = Instant::now();
        measured.probes.push(milliseconds(|| ask(server.port, "GET /readyz HTTP/1.1\r\n", "").map(|_| ()))?);
        measured.logins.push(milliseconds(|| server.login(1).map(|_| ()))?);
        std::thread::sleep(Duration::from_secs(1).saturating_sub(round.elapsed()));
    }
    Ok(measured)
}

fn milliseconds(request: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    request().context("a request of somebody else was not served")?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

fn report(
    bench: &mut Bench,
    server: &Server,
    of: (&str, &str),
    (measured, counts): (&Latencies, &Value),
) -> Result<()> {
    let (addresses, kind) = of;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bound = BASE + ARENA * std::thread::available_parallelism()?.get() as f64;
    let slowest = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    let (login, probe, peak) = (slowest(&measured.logins), slowest(&measured.probes), server.peak()?);
    let row = |what: &str, unit, value| {
        Row::new("hostile", format!("{kind}, {addresses} addresses: {what}"), unit, vec![value])
    };
    bench.report.add(row("most open at once", "", number(counts, "most_open")?));
    bench.report.add(row("the slowest login", "ms", login).goal(Goal::AtMost(2000.0)));
    bench.report.add(row("the slowest probe", "ms", probe).goal(Goal::AtMost(1000.0)));
    bench.report.add(row("most memory ever", "MiB", peak).goal(Goal::AtMost(bound)));
    ensure!(login <= 2000.0, "{kind}: a login took {login:.0} ms");
    ensure!(probe <= 1000.0, "{kind}: a probe took {probe:.0} ms");
    ensure!(peak <= bound, "{kind}: {peak:.0} MiB are more than {bound:.0}");
    Ok(())
}
