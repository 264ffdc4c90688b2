//! The storm: who reads their profile while thirty-two others log in must not wait for the others' passwords, and must
//! not slow them down.

use anyhow::Result;

use super::Bench;
use super::rates::{USERS, logins};
use super::report::{Goal, Row};
use super::server::{Backend, Server, Wanted};
use super::tools::{begin, counted, number};

/// Reads a second.
const PACE: &str = "100";

/// Both backends.
pub fn section(bench: &mut Bench) -> Result<()> {
    Backend::ALL.into_iter().try_for_each(|backend| one(bench, backend))
}

fn one(bench: &mut Bench, backend: Backend) -> Result<()> {
    let server = Server::start(bench, &Wanted { name: "storm", backend, users: USERS, settings: &[] })?;
    let (seconds, address) = (bench.seconds(), server.address());
    let token = server.tokens("access_token", 1, USERS)?.concat();
    let mut found: [Vec<f64>; 7] = Default::default();
    for _ in 0..bench.rounds {
        let pace = |seconds: u32| bench.tools.ask(&["paced", &address, &token, PACE, &seconds.to_string()]);
        let calm = pace(seconds)?;
        // as long as the storm, before it and after it: what slows the machine down meanwhile slows both
        let alone = || counted(begin(&logins(&server, USERS, 32, seconds + 2))?);
        let before = alone()?;
        // the storm begins first and ends last
        let storm = begin(&logins(&server, USERS, 32, seconds + 2))?;
        std::thread::sleep(std::time::Duration::from_secs(1));
        let reads = pace(seconds)?;
        let storm = counted(storm)?;
        let after = alone()?;
        let mut refused = number(&calm, "refused")? + number(&reads, "refused")?;
        for logins in [&before, &storm, &after] {
            refused += number(logins, "refused")? + number(logins, "broken")?;
        }
        let figures = [
            number(&calm, "p50")?,
            number(&calm, "p99")?,
            number(&reads, "p50")?,
            number(&reads, "p99")?,
            number(&storm, "rate")?,
            f64::midpoint(number(&before, "rate")?, number(&after, "rate")?),
            refused,
        ];
        for (values, figure) in found.iter_mut().zip(figures) {
            values.push(figure);
        }
    }
    let [calm50, calm99, reads50, reads99, rate, alone, refused] = found;
    let name = backend.name();
    let row = |what: &str, unit, values| Row::new("storm", format!("{name}: {what}"), unit, values);
    bench.report.add(row("reads alone, p50", "ms", calm50));
    bench.report.add(row("reads alone, p99", "ms", calm99));
    bench.report.add(row("reads in the storm, p50", "ms", reads50));
    bench.report.add(row("reads in the storm, p99", "ms", reads99).goal(Goal::AtMost(5.0)));
    bench.report.add(row("logins meanwhile", "/s", rate).beside("logins/s alone", alone).goal(Goal::Ratio(0.95)));
    bench.report.add(row("refused, of all that", "", refused).goal(Goal::AtMost(0.0)));
    Ok(())
}
