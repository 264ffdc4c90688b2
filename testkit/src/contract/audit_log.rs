//! Contract cases of the audit log.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::samples::{NOW, realm, session_id, user_id};
use portcullis_core::model::audit::AuditQuery;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;

type Log = Setup<dyn AuditLog>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn AuditLog>> {
    cases![
        an_empty_log_has_no_events,
        keeps_every_field,
        lists_the_newest_first,
        gives_no_more_than_the_limit,
        users_and_realms_are_separate,
        takes_events_of_nobody,
        keeps_the_operator,
        lists_a_realm_page_by_page,
        lists_only_what_was_asked_for,
        what_was_recorded_before_is_in_the_answer,
        a_racing_crowd_loses_nothing,
    ]
}

/// The n-th event of the first user.
fn event(n: u32, kind: EventKind) -> Event {
    let at = NOW + Duration::from_secs(1) * n;
    Event { at, realm: realm("User1"), kind, user: Some(user_id(1)), session: None, operator: None, detail: None }
}

async fn of_first_user(log: &Log, limit: u32) -> Result<Vec<Event>, portcullis_core::ports::error::PortError> {
    log.of_user(&realm("User1"), &user_id(1), limit).await
}

async fn an_empty_log_has_no_events(log: &Log) -> Outcome {
    assert_eq!(of_first_user(log, 10).await?, Vec::new());
    Ok(())
}

async fn keeps_every_field(log: &Log) -> Outcome {
    for (n, kind) in (0..).zip(EventKind::ALL) {
        let session = (n % 2 == 0).then(|| session_id(u64::from(n)));
        let one = Event { session, ..event(n, kind) };
        log.record(one.clone());
        assert_eq!(of_first_user(log, 1).await?, vec![one]);
    }
    Ok(())
}

async fn lists_the_newest_first(log: &Log) -> Outcome {
    let events: Vec<Event> = (0..20).map(|n| event(n, EventKind::LoggedIn)).collect();
    for one in &events {
        log.record(one.clone());
    }
    let newest_first: Vec<Event> = events.into_iter().rev().collect();
    assert_eq!(of_first_user(log, 100).await?, newest_first);
    Ok(())
}

async fn gives_no_more_than_the_limit(log: &Log) -> Outcome {
    for n in 0..10 {
        log.record(event(n, EventKind::LoggedIn));
    }
    let newest = vec![event(9, EventKind::LoggedIn), event(8, EventKind::LoggedIn)];
    assert_eq!(of_first_user(log, 2).await?, newest);
    assert_eq!(of_first_user(log, 0).await?, Vec::new());
    assert_eq!(of_first_user(log, u32::MAX).await?.len(), 10);
    Ok(())
}

async fn users_and_realms_are_separate(log: &Log) -> Outcome {
    let mine = event(1, EventKind::LoggedIn);
    let another_user = Event { user: Some(user_id(2)), ..event(2, EventKind::LoggedOut) };
    let another_realm = Event { realm: realm("User2"), ..event(3, EventKind::LoginFailed) };
    for one in [&mine, &another_user, &another_realm] {
        log.record(one.clone());
    }
    assert_eq!(of_first_user(log, 10).await?, vec![mine]);
    assert_eq!(log.of_user(&realm("User1"), &user_id(2), 10).await?, vec![another_user]);
    assert_eq!(log.of_user(&realm("User2"), &user_id(1), 10).await?, vec![another_realm]);
    Ok(())
}

async fn takes_events_of_nobody(log: &Log) -> Outcome {
    log.record(Event { user: None, ..event(1, EventKind::LoginFailed) });
    log.record(event(2, EventKind::LoggedIn));
    assert_eq!(of_first_user(log, 10).await?, vec![event(2, EventKind::LoggedIn)]);
    Ok(())
}

async fn keeps_the_operator(log: &Log) -> Outcome {
    let note = |reason| Some(OperatorNote { operator: "command line".to_owned(), reason });
    for (n, reason) in (0..).zip([None, Reason::parse("ticket 4711"), Reason::parse("\u{e9}\"'%")]) {
        let detail = reason.as_ref().map(|_| EventDetail::more(3));
        let one = Event { operator: note(reason), detail, ..event(n, EventKind::AccountDisabled) };
        log.record(one.clone());
        assert_eq!(of_first_user(log, 1).await?, vec![one.clone()]);
        let listed = log.list(&AuditQuery::of_realm(realm("User1")), None, 1).await?;
        assert_eq!(listed.into_iter().map(|listed| listed.event).collect::<Vec<_>>(), vec![one]);
    }
    Ok(())
}

/// The events that a query lists, in pages of that size.
async fn listed(log: &Log, query: &AuditQuery, page: u32) -> Result<Vec<Event>, PortError> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let found = log.list(query, before, page).await?;
        assert!(found.len() <= page as usize);
        assert!(found.is_sorted_by(|newer, older| newer.position > older.position));
        let Some(last) = found.last() else { return Ok(all) };
        before = Some(last.position);
        all.extend(found.into_iter().map(|listed| listed.event));
    }
}

async fn lists_a_realm_page_by_page(log: &Log) -> Outcome {
    let query = AuditQuery::of_realm(realm("User1"));
    assert_eq!(log.list(&query, None, 10).await?, Vec::new());
    let user = |n: u32| n.is_multiple_of(2).then(|| user_id(u64::from(n)));
    let mut mine: Vec<Event> = (0..7).map(|n| Event { user: user(n), ..event(n, EventKind::LoggedIn) }).collect();
    for one in &mine {
        log.record(one.clone());
        log.record(Event { realm: realm("User2"), ..one.clone() });
    }
    mine.reverse();
    for page in [1, 2, 3, 7, 100] {
        assert_eq!(listed(log, &query, page).await?, mine, "pages of {page}");
    }
    assert_eq!(log.list(&query, None, 0).await?, Vec::new());
    Ok(())
}

async fn lists_only_what_was_asked_for(log: &Log) -> Outcome {
    let kinds = [EventKind::LoggedIn, EventKind::LoginFailed, EventKind::LoggedOut];
    let events: Vec<Event> = (0..30)
        .zip(kinds.iter().cycle())
        .map(|(n, kind)| Event { user: Some(user_id(u64::from(n % 4))), ..event(n, *kind) })
        .collect();
    for one in &events {
        log.record(one.clone());
    }
    let of_realm = AuditQuery::of_realm(realm("User1"));
    let at = |n: u32| Some(NOW + Duration::from_secs(1) * n);
    for query in [
        AuditQuery { user: Some(user_id(1)), ..of_realm.clone() },
        AuditQuery { kinds: vec![EventKind::LoginFailed], ..of_realm.clone() },
        AuditQuery { kinds: vec![EventKind::LoginFailed, EventKind::LoggedOut], ..of_realm.clone() },
        AuditQuery { since: at(10), ..of_realm.clone() },
        AuditQuery { until: at(10), ..of_realm.clone() },
        AuditQuery {
            user: Some(user_id(2)),
            since: at(5),
            until: at(25),
            kinds: vec![EventKind::LoggedIn],
            ..of_realm
        },
    ] {
        let wanted: Vec<Event> = events.iter().rev().filter(|event| query.matches(event)).cloned().collect();
        assert!(!wanted.is_empty() && wanted.len() < events.len());
        assert_eq!(listed(log, &query, 4).await?, wanted, "{query:?}");
    }
    Ok(())
}

async fn what_was_recorded_before_is_in_the_answer(log: &Log) -> Outcome {
    for n in 0..50 {
        log.record(event(n, EventKind::LoggedIn));
        assert_eq!(of_first_user(log, 100).await?.len() as u64, u64::from(n) + 1);
    }
    Ok(())
}

async fn a_racing_crowd_loses_nothing(log: &Log) -> Outcome {
    let record = |log: std::sync::Arc<dyn AuditLog>, n| async move {
        (0..10).for_each(|_| log.record(Event { session: Some(session_id(n)), ..event(0, EventKind::LoggedIn) }));
        Ok(())
    };
    log.race(20, record).await?;
    assert_eq!(of_first_user(log, 1000).await?.len(), 200);
    Ok(())
}
