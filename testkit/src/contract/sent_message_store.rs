//! Contract cases of the sent message store.

use super::{Case, Outcome, Setup};
use crate::samples::{NOW, job_id, person, realm, sealed, user_id};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Sealed, WrappedKey};
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use std::time::Duration;

type Messages = Setup<dyn SentMessageStore>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn SentMessageStore>> {
    cases![
        returns_the_newest_first,
        keeps_every_field,
        a_copy_of_the_same_job_and_part_replaces_the_first,
        forgets_the_copies_about_a_subject_and_no_others,
    ]
}

/// The n-th copy, sent n milliseconds after the start.
pub(super) fn copy(realm: &Realm, n: u64) -> StoredMessage {
    StoredMessage {
        realm: realm.clone(),
        subject: user_id(n),
        job: job_id(n),
        part: 0,
        key: person(n).key,
        message: sealed("message", n),
        at: NOW + Duration::from_millis(n),
    }
}

async fn returns_the_newest_first(messages: &Messages) -> Outcome {
    assert_eq!(messages.newest(10).await?, Vec::new());
    let all: Vec<StoredMessage> = (1..=3).map(|n| copy(&realm("User1"), n)).collect();
    for copy in &all {
        messages.put(copy.clone()).await?;
    }
    let newest_first: Vec<StoredMessage> = all.into_iter().rev().collect();
    assert_eq!(messages.newest(10).await?, newest_first);
    assert_eq!(messages.newest(2).await?, newest_first.get(..2).unwrap_or_default());
    assert_eq!(messages.newest(0).await?, Vec::new());
    Ok(())
}

async fn keeps_every_field(messages: &Messages) -> Outcome {
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(50_000).collect();
    for (n, bytes) in [(1, Vec::new()), (2, every_byte)] {
        let (key, message) = (WrappedKey::from_bytes(bytes.clone()), Sealed::from_bytes(bytes));
        let odd = StoredMessage { part: u32::MAX, key, message, ..copy(&realm("User1"), n) };
        messages.put(odd.clone()).await?;
        assert_eq!(messages.newest(1).await?, [odd]);
    }
    Ok(())
}

async fn a_copy_of_the_same_job_and_part_replaces_the_first(messages: &Messages) -> Outcome {
    let first = copy(&realm("User1"), 1);
    let second = StoredMessage { message: sealed("message", 9), ..first.clone() };
    let other_part = StoredMessage { part: 1, at: NOW + Duration::from_millis(2), ..first.clone() };
    for copy in [&first, &second, &other_part] {
        messages.put(copy.clone()).await?;
    }
    assert_eq!(messages.newest(10).await?, [other_part, second]);
    Ok(())
}

async fn forgets_the_copies_about_a_subject_and_no_others(messages: &Messages) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (one, two) = (copy(&here, 1), copy(&here, 2));
    let namesake = StoredMessage { job: job_id(3), ..copy(&there, 1) };
    for copy in [&one, &namesake, &two] {
        messages.put(copy.clone()).await?;
    }
    messages.forget(&here, &one.subject).await?;
    let left = messages.newest(10).await?;
    assert!(left.contains(&namesake) && left.contains(&two) && left.len() == 2, "{left:?}");
    Ok(())
}
