//! Properties that must not be traded for speed: the same latency for known and unknown accounts, and load shedding
//! that is quick, reported and bounded.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Bench;
use super::memory::ARENA;
use super::rates::USERS;
use super::report::{Goal, Row};
use super::server::{Backend, PASSWORD, Server, Wanted};
use super::tools::number;

/// Interleaved pairs of each round.
const PAIRS: &str = "400";
/// Requests, and sequences of which the last request is measured.
const OPERATIONS: [&str; 13] = [
    "login",
    "create",
    "forget_password",
    "resend_verification",
    "otp_phone",
    "login_passkey",
    "login_with_app",
    "create+login",
    "create+login_as_registered",
    "login+create",
    "create+resend_verification+login",
    "login+forget_password",
    "forget_password+login",
];

/// The area under the ROC curve of an attacker who guesses by latency.
pub fn timing(bench: &mut Bench) -> Result<()> {
    // these log each user in to learn an id: the cheapest hash there, the real one where it is part of the answer
    for operation in OPERATIONS {
        let cheap: &[(&str, &str)] = &[("ARGON2_MEMORY_KIB", "8"), ("ARGON2_ITERATIONS", "1")];
        let settings = if ["otp_phone", "login_passkey"].contains(&operation) { cheap } else { &[] };
        let mut areas = Vec::new();
        for _ in 0..if bench.quick { 1 } else { bench.rounds } {
            let wanted = Wanted { name: "timing", backend: Backend::Embedded, users: USERS, settings };
            let server = Server::start(bench, &wanted)?;
            areas.push(number(&bench.tools.ask(&["timing", &server.address(), PASSWORD, operation, PAIRS])?, "auc")?);
        }
        let row = Row::new("timing", operation, "AUC", areas);
        // a user handle is 128 random bits: that it is known tells an attacker nothing new
        let has_goal = operation != "login_passkey";
        bench.report.add(if has_goal { row.goal(Goal::Between(0.45, 0.55)) } else { row });
    }
    Ok(())
}

/// 500 logins at once.
pub fn overload(bench: &mut Bench) -> Result<()> {
    for backend in Backend::ALL {
        let server = Server::start(bench, &Wanted { name: "overload", backend, users: USERS, settings: &[] })?;
        let (mut shed, mut counts, mut freed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut reads, mut refused) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            let found = bench.tools.ask(&["overload", &server.address(), PASSWORD, "500"])?;
            honest(&found)?;
            shed.push(number(&found["shed_ms"], "max")?);
            reads.push(number(&found["reads_ms"], "p99")?);
            refused.push(number(&found, "reads_refused")?);
            freed.push(number(&found, "after_hang_up_ms")?);
            counts.push(number(&found, "shed")?);
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let bound = 40.0 + ARENA * std::thread::available_parallelism()?.get() as f64;
        let name = backend.name();
        let row = |what: &str, unit, values| Row::new("overload", format!("{name}: {what}"), unit, values);
        bench.report.add(row("of 500 logins shed", "", counts));
        bench.report.add(row("the slowest 503", "ms", shed).goal(Goal::AtMost(100.0)));
        bench.report.add(row("profile reads meanwhile, p99", "ms", reads));
        bench.report.add(row("of these refused", "", refused).goal(Goal::AtMost(0.0)));
        bench.report.add(row("served after others hung up", "ms", freed).goal(Goal::AtMost(500.0)));
        bench.report.add(row("most memory ever", "MiB", vec![server.peak()?]).goal(Goal::AtMost(bound)));
    }
    Ok(())
}

/// Every login is served or shed with `Retry-After`, and a full queue refuses logins until a client disconnects.
fn honest(found: &Value) -> Result<()> {
    ensure!(found["other"] == 0, "some logins were neither served nor shed: {found}");
    ensure!(found["shed_with_retry_after"] == found["shed"], "some were shed without Retry-After: {found}");
    ensure!(found["full_then"] == 503, "a full queue did not refuse: {found}");
    ensure!(found["after_hang_up"] == 200, "those who hung up made no room: {found}");
    Ok(())
}
