//! The control plane of `portcullis testkit`: clock, randomness, messages, faults, limits and snapshots.

pub mod factors;
mod fault;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::time::Timestamp;
use serde_json::{Map, Value, json};

use self::fault::script;
use crate::http::app::App;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::Input;
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{JSON, Operation, empty, ok, optional};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::response::json;
use crate::testkit::Testkit;

/// The longest wait of `GET /__test__/outbox`.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The polling interval.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// 9999-01-01: RFC 3339 has no later year.
const LAST_YEAR: Timestamp = Timestamp::from_millis(253_370_764_800_000);
/// How many messages are shown.
const SHOWN: u32 = 10_000;

fn testkit(app: &App) -> Result<Arc<Testkit>, Problem> {
    app.testkit.clone().ok_or_else(Problem::not_found)
}

fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn wrong(field: &str, message: impl Into<String>) -> Problem {
    Problem::invalid(vec![Violation::with_message(field.to_owned(), Code::ValueInvalid, message.into())])
}

/// The members of a JSON object; others than `known` are refused. The content type does not matter.
fn members_of(input: &Input, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let members = FormFields::from_json(&input.body)?.into_map();
    let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
    let unknown: Vec<Violation> = unknown.map(|name| Violation::new(name.clone(), Code::UnknownField)).collect();
    if unknown.is_empty() { Ok(members) } else { Err(Problem::invalid(unknown)) }
}

fn number(members: &Map<String, Value>, name: &'static str) -> Result<u64, Problem> {
    let value = members.get(name).and_then(Value::as_u64);
    value.ok_or_else(|| wrong(name, "must be a whole number, 0 or more"))
}

fn clock_json(testkit: &Testkit) -> Response {
    let now = testkit.now();
    json(StatusCode::OK, &json!({"now": rfc3339(now), "seconds": now.as_secs()}))
}

/// The schemas of the group.
pub fn schemas() -> Value {
    let number = |about: &str| json!({"type": "integer", "minimum": 1, "description": about});
    let fault = schemas::object(
        &[],
        json!({
            "port": schemas::text("Of this port only, e.g. `session_store`."), "method": schemas::text("Of this method only, e.g. `rotate`."),
            "nth": number("Begins with this call from now on; 1 where none is given."), "times": number("So many calls; where none is given 1, or with a probability no end."),
            "probability": {"type": "number", "minimum": 0, "maximum": 1, "description": "Each such call with this probability, instead of the next ones."},
            "seed": {"type": "integer", "minimum": 0, "description": "Of the probability's dice."},
            "when": {"type": "string", "enum": ["before", "after"], "default": "before", "description": "Breaks before it did anything, or after it did it all."},
            "delay_seconds": {"type": "integer", "minimum": 1, "maximum": 86_400, "description": "Does not break, but takes so long on the server's clock."},
        }),
    );
    json!({
        "TestClock": schemas::object(&["now", "seconds"], json!({"now": schemas::time(), "seconds": {"type": "integer", "description": "The same since 1970."}})),
        "TestAdvance": schemas::object(&["seconds"], json!({"seconds": {"type": "integer", "minimum": 0, "maximum": 3_153_600_000_u64}})),
        "TestFaults": schemas::object(&["faults"], json!({"faults": {"type": "array", "items": fault}})),
        "TestSnapshot": schemas::object(&["snapshot"], json!({"snapshot": schemas::text("Its name.")})),
        "TestDisabled": schemas::object(
            &["realm", "user", "disabled"],
            json!({"realm": schemas::text("Where."), "user": schemas::text("Their id or address."), "disabled": {"type": "boolean"}}),
        ),
        "TestSeed": schemas::object(&["seed"], json!({"seed": {"type": "integer", "minimum": 0}})),
    })
}

pub static CLOCK: Operation =
    Operation::new("The server's clock", "It stands still until it is moved.", &[ok(200, "The time.", "TestClock")]);

pub async fn clock(State(app): State<Arc<App>>) -> HandlerResult {
    Ok(clock_json(&*testkit(&app)?))
}

pub static ADVANCE: Operation = Operation::new(
    "Advance the clock",
    "Forward only, and not beyond the year 9998. Jobs that become due are executed before the \
     response.",
    &[ok(200, "The time now.", "TestClock")],
)
.body(&[JSON], "TestAdvance");

pub async fn advance(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    let testkit = testkit(&app)?;
    let seconds = number(&members_of(&input, &["seconds"])?, "seconds")?;
    if seconds > 100 * 365 * 86_400 {
        return Err(wrong("seconds", "must be no more than a hundred years"));
    }
    let time = Duration::from_secs(seconds);
    if testkit.now() + time >= LAST_YEAR {
        return Err(wrong("seconds", "must not lead beyond the year 9998"));
    }
    testkit.advance(time);
    testkit.work().await;
    Ok(clock_json(&testkit))
}

pub static OUTBOX: Operation = Operation::new(
    "Messages",
    "As `/dev/mailbox` has them, newest first, once all work that is due is done.",
    &[ok(200, "The messages.", "Mailbox")],
)
.query(&[
    optional("to", "Only to this address or number."),
    optional("template", "Only of this template."),
    optional("wait", "Milliseconds to wait for the first that fits; half a minute at most."),
]);

pub async fn outbox(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    let testkit = testkit(&app)?;
    let mailbox = app.mailbox.clone().ok_or_else(Problem::not_found)?;
    let mut query = input.query()?;
    let (to, template, wait) = (query.text("to"), query.text("template"), query.text("wait"));
    query.finish()?;
    let wait = wait.map_or(Ok(0), |wait| wait.parse::<u64>()).map_err(|_| wrong("wait", "must be milliseconds"))?;
    let wait = Duration::from_millis(wait).min(LONGEST_WAIT);
    let began = Instant::now();
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    loop {
        ticks.tick().await;
        testkit.work().await;
        let mut messages = mailbox.list(SHOWN).await?;
        messages.retain(|message| {
            to.as_ref().is_none_or(|to| message.to.eq_ignore_ascii_case(to))
                && template.as_ref().is_none_or(|template| message.template == *template)
        });
        if !messages.is_empty() || began.elapsed() >= wait {
            return Ok(json(StatusCode::OK, &serde_json::to_value(messages).unwrap_or(Value::Null)));
        }
    }
}

pub static EMPTY_OUTBOX: Operation =
    Operation::new("Delete the messages", "Including messages that are due.", &[empty(204, "Done.")]);

pub async fn empty_outbox(State(app): State<Arc<App>>) -> HandlerResult {
    testkit(&app)?.empty_outbox().await;
    Ok(no_content())
}

pub static FAULTS: Operation = Operation::new(
    "Set faults",
    "Replaces the faults set before; an empty list removes them. Polling the job queue does not \
     count as a call.",
    &[empty(204, "Set.")],
)
.body(&[JSON], "TestFaults");

pub async fn faults(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    let testkit = testkit(&app)?;
    let members = members_of(&input, &["faults"])?;
    let faults = members.get("faults").and_then(Value::as_array).ok_or_else(|| wrong("faults", "must be a list"))?;
    let scripts = faults
        .iter()
        .enumerate()
        .map(|(at, fault)| script(fault).map_err(|message| wrong(&format!("faults/{at}"), message)));
    testkit.break_as(scripts.collect::<Result<_, _>>()?);
    Ok(no_content())
}

pub static RESET_LIMITS: Operation =
    Operation::new("Reset the limits", "Resets rate limits and counts of failed logins.", &[empty(204, "Done.")]);

pub async fn reset_limits(State(app): State<Arc<App>>) -> HandlerResult {
    testkit(&app)?.forget_limits();
    Ok(no_content())
}

pub static SNAPSHOT: Operation = Operation::new(
    "Take a snapshot",
    "Accounts, sessions, tokens, jobs, messages and limits.",
    &[ok(201, "Its name.", "TestSnapshot")],
);

pub async fn snapshot(State(app): State<Arc<App>>) -> HandlerResult {
    Ok(json(StatusCode::CREATED, &json!({"snapshot": testkit(&app)?.snapshot().await})))
}

pub static RESTORE: Operation = Operation::new(
    "Restore a snapshot",
    "`empty` is the state at the start. The clock is not set back.",
    &[empty(204, "Restored.")],
)
.body(&[JSON], "TestSnapshot")
.errors(&[Code::NotFound]);

pub async fn restore(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    let testkit = testkit(&app)?;
    let members = members_of(&input, &["snapshot"])?;
    let name = members.get("snapshot").and_then(Value::as_str).ok_or_else(|| wrong("snapshot", "must be a name"))?;
    if testkit.restore(name).await { Ok(no_content()) } else { Err(Problem::not_found()) }
}

pub static DISABLED: Operation = Operation::new(
    "Disable or enable an account",
    "What `portcullis users disable` and `users enable` do.",
    &[empty(204, "Done.")],
)
.body(&[JSON], "TestDisabled")
.errors(&[Code::NotFound]);

pub async fn disabled(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    testkit(&app)?;
    let members = members_of(&input, &["realm", "user", "disabled"])?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).ok_or_else(|| wrong(name, "must be a text"));
    let (realm, user) = (text("realm")?, text("user")?);
    let realm = app.realms.iter().find(|known| known.as_str() == realm).ok_or_else(Problem::not_found)?;
    match members.get("disabled") {
        Some(Value::Bool(true)) => app.service.operators().disable(realm, user).await?,
        Some(Value::Bool(false)) => app.service.operators().enable(realm, user).await?,
        _ => return Err(wrong("disabled", "must be true or false")),
    };
    Ok(no_content())
}

pub static SEED: Operation = Operation::new(
    "Seed chance",
    "From here on ids, tokens and codes come in the order of this seed, for a client that asks \
     one thing at a time. A seed that was used before brings the same ids again: restore before \
     it.",
    &[empty(204, "Seeded.")],
)
.body(&[JSON], "TestSeed");

pub async fn seed(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    testkit(&app)?.seed(number(&members_of(&input, &["seed"])?, "seed")?);
    Ok(no_content())
}
