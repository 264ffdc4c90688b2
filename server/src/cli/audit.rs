//! `portcullis audit`: the events of the audit log. They have ids, no field of a person.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::audit_log::AuditLog;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, json as json_flag, realm_argument, reason};
use super::{audit_chain, print, runtime};
use crate::http::{event_json, rfc3339};
use crate::serve;

/// How often `tail` reads the log.
const INTERVAL: Duration = Duration::from_secs(1);
/// Events that are read at once.
const PAGE: u32 = 1000;

/// Its arguments.
pub fn command() -> Command {
    let user = Arg::new("user").long("user").value_name("ID_OR_EMAIL").help("Of one account");
    let kind = Arg::new("kind").long("kind").value_name("KIND").action(ArgAction::Append).value_parser(parse_kind);
    let kind = kind.help("Of this kind, such as login_failed; may be repeated");
    let time = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TIME").value_parser(parse_time).help(help)
    };
    let number = |name: &'static str, most: i64, default: &'static str, help: &'static str| {
        let parser = value_parser!(u32).range(1..=most);
        Arg::new(name).long(name).value_name("NUMBER").value_parser(parser).default_value(default).help(help)
    };
    let before = Arg::new("before").long("before").value_name("POSITION").value_parser(parse_position);
    let list = Command::new("list")
        .about("Lists events, the newest first")
        .args([realm_argument(), user.clone(), kind.clone(), reason(), json_flag()])
        .arg(time("since", "Not older than this: RFC 3339, such as 2027-01-31T12:00:00Z"))
        .arg(time("until", "Older than this"))
        .arg(number("limit", 10_000, "100", "How many"))
        .arg(before.help("The next page: `next` of the JSON of the last one"));
    let tail = Command::new("tail")
        .about("Shows the newest events, and goes on with those that come")
        .args([realm_argument(), user, kind, reason(), json_flag()])
        .arg(number("lines", 1000, "10", "How many to begin with"));
    Command::new("audit")
        .about("The audit log")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list)
        .subcommand(tail)
        .subcommand(audit_chain::verify_command())
        .subcommand(audit_chain::export_command())
}

fn parse_kind(text: &str) -> Result<EventKind, String> {
    EventKind::parse(text).ok_or_else(|| {
        let all: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("there is no such kind; there are {}", all.join(", "))
    })
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text.parse().map_err(|_| "not a time of RFC 3339".to_owned())?;
    Ok(Timestamp::from_millis(time.as_millisecond()))
}

fn parse_position(text: &str) -> Result<AuditPosition, String> {
    AuditPosition::parse(text).ok_or_else(|| "a position is 24 hexadecimal digits".to_owned())
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, matches)) = matches.subcommand() else { return Err("there is no such command".into()) };
    if name == "verify" || name == "export" {
        return audit_chain::run(name, matches);
    }
    let command = OperatorCommand::read(matches)?;
    let realm = command.realm(matches)?;
    runtime()?.block_on(async {
        let service = command.service().await?;
        let user = match matches.get_one::<String>("user") {
            Some(who) => Some(service.operators().find_account(&realm, who).await?.id),
            None => None,
        };
        let kinds = matches.get_many::<EventKind>("kind").map(|kinds| kinds.copied().collect());
        let query = AuditQuery { user, kinds: kinds.unwrap_or_default(), ..AuditQuery::of_realm(realm) };
        let operators = service.operators_as(command.note());
        let log = &*service.ports.audit;
        if name == "tail" {
            let lines = matches.get_one::<u32>("lines").copied().unwrap_or_default();
            // the first reading is the event, not each poll
            let _ = operators.list_events(&query, None, 0).await?;
            return tail(log, &query, lines, command.json).await;
        }
        let time = |name: &str| matches.get_one::<Timestamp>(name).copied();
        let query = AuditQuery { since: time("since"), until: time("until"), ..query };
        let limit = matches.get_one::<u32>("limit").copied().unwrap_or_default();
        let before = matches.get_one::<AuditPosition>("before").copied();
        let events = operators.list_events(&query, before, limit).await?;
        let full = u32::try_from(events.len()).is_ok_and(|count| count == limit);
        let next = events.last().filter(|_| full).map(|last| last.position.to_string());
        let shown = json!({"events": events.iter().map(event_json).collect::<Vec<Value>>(), "next": next});
        command.show(&shown, || events.iter().map(line).collect::<Vec<_>>().join("\n"))
    })
}

/// Prints events as they come, until SIGINT or SIGTERM.
async fn tail(log: &dyn AuditLog, query: &AuditQuery, lines: u32, json: bool) -> Result<(), Failure> {
    let stop = serve::shutdown_signal()?;
    let follow = async {
        let mut recent = Recent::default();
        let mut first = log.list(query, None, lines).await?;
        // what is older than the first lines is not shown later either
        recent.floor = first.last().map(|event| event.position);
        loop {
            first.reverse();
            for event in &first {
                print(&if json { event_json(event).to_string() } else { line(event) });
            }
            tokio::time::sleep(INTERVAL).await;
            first = recent.unseen(log, query, &first).await?;
        }
    };
    tokio::select! {
        () = stop => Ok(()),
        failed = follow => failed,
    }
}

/// The events that were shown. Another instance's event may appear between older ones, so a position is not enough.
#[derive(Default)]
struct Recent {
    floor: Option<AuditPosition>,
    shown: BTreeSet<AuditPosition>,
}

impl Recent {
    /// The events that were not shown yet, the newest first.
    async fn unseen(
        &mut self,
        log: &dyn AuditLog,
        query: &AuditQuery,
        shown: &[LoggedEvent],
    ) -> Result<Vec<LoggedEvent>, Failure> {
        self.shown.extend(shown.iter().map(|event| event.position));
        while self.shown.len() > PAGE as usize {
            self.floor = self.shown.pop_first();
        }
        let (mut unseen, mut before) = (Vec::new(), None);
        loop {
            let page = log.list(query, before, PAGE).await?;
            let last = page.last().map(|event| event.position);
            let is_new = |event: &LoggedEvent| {
                self.floor.is_none_or(|floor| event.position > floor) && !self.shown.contains(&event.position)
            };
            unseen.extend(page.into_iter().filter(is_new));
            match last {
                Some(last) if self.floor.is_none_or(|floor| last > floor) => before = Some(last),
                _ => return Ok(unseen),
            }
        }
    }
}

fn line(logged: &LoggedEvent) -> String {
    let event = &logged.event;
    let mut line = format!("{}  {}", rfc3339(event.at), event.kind.as_str());
    for part in [event.user.map(|user| user.to_string()), event.session.map(|session| session.to_string())] {
        line.extend(part.into_iter().flat_map(|part| ["  ".to_owned(), part]));
    }
    if let Some(note) = &event.operator {
        let reason = note.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        line.extend(["  by ", &note.operator, &reason]);
    }
    if let Some(detail) = &event.detail {
        line.extend(["  ", detail.as_str()]);
    }
    line
}
