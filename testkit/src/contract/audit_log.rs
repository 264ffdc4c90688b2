//! Contract cases of the audit log.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::samples::{NOW, realm, session_id, user_id};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::ports::audit_log::AuditLog;

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
        what_was_recorded_before_is_in_the_answer,
        a_racing_crowd_loses_nothing,
    ]
}

/// The n-th event of the first user.
fn event(n: u32, kind: EventKind) -> Event {
    Event { at: NOW + Duration::from_secs(1) * n, realm: realm("User1"), kind, user: Some(user_id(1)), session: None }
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
