//! Contract cases of the undo store: links that are used once and outlive the credentials version, tries, and the
//! reservations of former addresses.

use std::sync::Arc;
use std::time::Duration;

use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{LIFE, NOW, digest, email_index, email_index_of_two, realm, undo_id, undo_record, user_id};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord, UndoableChange};
use portcullis_core::ports::database::{Change, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::undo_store::UndoStore;

type Undos = Setup<Records<dyn UndoStore>>;

const MILLI: Duration = Duration::from_millis(1);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn UndoStore>>> {
    cases![
        an_empty_store_finds_nothing,
        keeps_every_field,
        a_newer_link_replaces_the_older,
        lives_until_its_expiry_and_not_longer,
        realms_never_mix,
        a_link_is_used_once_and_ends_the_younger_ones,
        one_of_many_racing_uses_has_its_effect,
        lists_an_accounts_records_by_age,
        tries_are_taken_and_given_back,
        no_race_takes_more_tries_than_there_are,
        an_address_stays_reserved_until_the_expiry,
        an_address_is_reserved_by_each_digest,
        unused_records_are_limited,
        a_used_record_still_reserves,
        removes_all_of_an_account,
        purges_what_has_expired_and_nothing_else,
    ]
}

/// The change that uses the link of a record.
fn use_link(undo: &UndoRecord, token: Digest, now: Timestamp) -> Change {
    Change::UseUndo { realm: undo.realm.clone(), id: undo.id, token, now }
}

/// The change that gives an address to an account.
fn check(realm: &Realm, email: RingDigest, user: u64, now: Timestamp) -> Change {
    Change::CheckReservation { realm: realm.clone(), email, user: user_id(user), now }
}

async fn change(undos: &Undos, change: Change) -> Result<Result<(), Refusal>, PortError> {
    Ok(undos.port.change(change).await?.map(|_| ()))
}

async fn insert(undos: &Undos, undo: &UndoRecord) -> Outcome {
    Ok(change(undos, Change::InsertUndo(Box::new(undo.clone()))).await??)
}

async fn an_empty_store_finds_nothing(undos: &Undos) -> Outcome {
    let (realm, token) = (realm("User1"), digest("undo token", 1));
    assert_eq!(undos.find(&realm, &undo_id(1), NOW).await?, None);
    assert_eq!(undos.find_by_token(&realm, &token, NOW).await?, None);
    assert_eq!(undos.find_reservation(&realm, &email_index(1), NOW).await?, None);
    assert_eq!(undos.list(&realm, &user_id(1)).await?, []);
    assert!(!undos.take_try(&realm, &undo_id(1), NOW).await?);
    undos.give_try_back(&realm, &undo_id(1)).await?;
    let absent = undo_record(&realm, 1, 1);
    assert_eq!(change(undos, use_link(&absent, token, NOW)).await?, Err(Refusal::UndoGone));
    let set = Change::SetUndoToken { realm: realm.clone(), id: absent.id, token, now: NOW };
    assert_eq!(change(undos, set).await?, Err(Refusal::UndoGone));
    assert_eq!(change(undos, check(&realm, email_index(1), 1, NOW)).await?, Ok(()));
    assert_eq!(change(undos, Change::RemoveUndos { realm, user: user_id(1) }).await?, Ok(()));
    assert_eq!(undos.purge_expired(NOW).await?, 0);
    Ok(())
}

async fn keeps_every_field(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let shapes = UndoableChange::ALL.into_iter().zip(1..).map(|(change, n)| UndoRecord {
        change,
        reserved: (n % 2 == 0).then(|| email_index(n)),
        token: (n % 2 == 1).then(|| digest("undo token", n)),
        tries_left: u8::try_from(n).unwrap_or_default(),
        version: n * 1_000_000_000_000,
        ..undo_record(&realm, n, n)
    });
    for shape in shapes {
        insert(undos, &shape).await?;
        assert_eq!(undos.find(&realm, &shape.id, NOW).await?.as_ref(), Some(&shape));
        assert_eq!(undos.list(&realm, &shape.user).await?, std::slice::from_ref(&shape));
        if let Some(token) = &shape.token {
            assert_eq!(undos.find_by_token(&realm, token, NOW).await?, Some(shape));
        }
    }
    Ok(())
}

async fn a_newer_link_replaces_the_older(undos: &Undos) -> Outcome {
    let undo = undo_record(&realm("User1"), 1, 1);
    insert(undos, &undo).await?;
    let (old, new) = (digest("undo token", 1), digest("undo token", 2));
    for token in [old, new] {
        let set = Change::SetUndoToken { realm: undo.realm.clone(), id: undo.id, token, now: NOW };
        assert_eq!(change(undos, set).await?, Ok(()));
        let found = undos.find_by_token(&undo.realm, &token, NOW).await?;
        assert_eq!(found, Some(UndoRecord { token: Some(token), ..undo.clone() }));
    }
    assert_eq!(undos.find_by_token(&undo.realm, &old, NOW).await?, None);
    assert_eq!(change(undos, use_link(&undo, old, NOW)).await?, Err(Refusal::UndoGone));
    assert_eq!(change(undos, use_link(&undo, new, NOW)).await?, Ok(()));
    Ok(())
}

async fn lives_until_its_expiry_and_not_longer(undos: &Undos) -> Outcome {
    let token = digest("undo token", 1);
    let undo = UndoRecord { token: Some(token), ..undo_record(&realm("User1"), 1, 1) };
    insert(undos, &undo).await?;
    for (now, lives) in [(undo.expires_at - MILLI, true), (undo.expires_at, false)] {
        assert_eq!(undos.find(&undo.realm, &undo.id, now).await?.is_some(), lives);
        assert_eq!(undos.find_by_token(&undo.realm, &token, now).await?.is_some(), lives);
        assert_eq!(undos.take_try(&undo.realm, &undo.id, now).await?, lives);
        let set = Change::SetUndoToken { realm: undo.realm.clone(), id: undo.id, token, now };
        assert_eq!(change(undos, set).await?.is_ok(), lives);
    }
    assert_eq!(change(undos, use_link(&undo, token, undo.expires_at)).await?, Err(Refusal::UndoGone));
    assert_eq!(change(undos, use_link(&undo, token, undo.expires_at - MILLI)).await?, Ok(()));
    Ok(())
}

async fn realms_never_mix(undos: &Undos) -> Outcome {
    let (ours, theirs) = (realm("User1"), realm("User2"));
    let (token, email) = (digest("undo token", 1), email_index(1));
    let undo = UndoRecord { token: Some(token), reserved: Some(email), ..undo_record(&ours, 1, 1) };
    insert(undos, &undo).await?;
    assert_eq!(undos.find(&theirs, &undo.id, NOW).await?, None);
    assert_eq!(undos.find_by_token(&theirs, &token, NOW).await?, None);
    assert_eq!(undos.find_reservation(&theirs, &email, NOW).await?, None);
    assert_eq!(undos.list(&theirs, &undo.user).await?, []);
    assert!(!undos.take_try(&theirs, &undo.id, NOW).await?);
    assert_eq!(change(undos, check(&theirs, email, 2, NOW)).await?, Ok(()));
    let elsewhere = Change::UseUndo { realm: theirs.clone(), id: undo.id, token, now: NOW };
    assert_eq!(change(undos, elsewhere).await?, Err(Refusal::UndoGone));
    assert_eq!(change(undos, Change::RemoveUndos { realm: theirs, user: undo.user }).await?, Ok(()));
    assert_eq!(undos.find(&ours, &undo.id, NOW).await?, Some(undo));
    Ok(())
}

async fn a_link_is_used_once_and_ends_the_younger_ones(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let nth =
        |user, n: u64| UndoRecord { version: n, token: Some(digest("undo token", n)), ..undo_record(&realm, user, n) };
    let (older, middle, younger, other) = (nth(1, 1), nth(1, 2), nth(1, 3), nth(2, 4));
    for undo in [&older, &middle, &younger, &other] {
        insert(undos, undo).await?;
    }
    let token = digest("undo token", 2);
    assert_eq!(change(undos, use_link(&middle, token, NOW)).await?, Ok(()));
    assert_eq!(change(undos, use_link(&middle, token, NOW)).await?, Err(Refusal::UndoGone));
    let used = |undo: &UndoRecord| UndoRecord { used: true, ..undo.clone() };
    assert_eq!(undos.list(&realm, &user_id(1)).await?, [older.clone(), used(&middle), used(&younger)]);
    for (undo, n, lives) in [(&older, 1, true), (&middle, 2, false), (&younger, 3, false), (&other, 4, true)] {
        assert_eq!(undos.find_by_token(&realm, &digest("undo token", n), NOW).await?.is_some(), lives);
        assert_eq!(undos.take_try(&realm, &undo.id, NOW).await?, lives);
        let token = digest("undo token", n + 10);
        let set = Change::SetUndoToken { realm: realm.clone(), id: undo.id, token, now: NOW };
        assert_eq!(change(undos, set).await?.is_ok(), lives, "no worker revives a used link");
    }
    Ok(())
}

async fn one_of_many_racing_uses_has_its_effect(undos: &Undos) -> Outcome {
    let token = digest("undo token", 1);
    let undo = UndoRecord { token: Some(token), ..undo_record(&realm("User1"), 1, 1) };
    insert(undos, &undo).await?;
    let race = |undos: Arc<Records<dyn UndoStore>>, n: u64| {
        let mut other = undo_record(&undo.realm, 9, n + 100);
        other.version = n;
        let work = UnitOfWork::of(use_link(&undo, token, NOW)).with(Change::InsertUndo(Box::new(other)));
        async move { Ok(undos.database.commit(work).await?.map(|_| ())) }
    };
    let answers = undos.race(20, race).await?;
    assert_eq!(count(&answers, &Ok(())), 1, "{answers:?}");
    assert_eq!(count(&answers, &Err(Refusal::UndoGone)), 19);
    assert_eq!(undos.list(&undo.realm, &user_id(9)).await?.len(), 1);
    Ok(())
}

async fn lists_an_accounts_records_by_age(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let mut records: Vec<UndoRecord> = Vec::new();
    for (n, version) in [(1, 30), (2, 10), (3, 20)] {
        let undo = UndoRecord { version, ..undo_record(&realm, 1, n) };
        insert(undos, &undo).await?;
        records.push(undo);
    }
    insert(undos, &undo_record(&realm, 2, 4)).await?;
    records.sort_by_key(|undo| undo.version);
    assert_eq!(undos.list(&realm, &user_id(1)).await?, records);
    Ok(())
}

async fn tries_are_taken_and_given_back(undos: &Undos) -> Outcome {
    let undo = undo_record(&realm("User1"), 1, 1);
    insert(undos, &undo).await?;
    undos.give_try_back(&undo.realm, &undo.id).await?;
    for _ in 0..UNDO_TRIES {
        assert!(undos.take_try(&undo.realm, &undo.id, NOW).await?);
    }
    assert!(!undos.take_try(&undo.realm, &undo.id, NOW).await?);
    undos.give_try_back(&undo.realm, &undo.id).await?;
    assert!(undos.take_try(&undo.realm, &undo.id, NOW).await?);
    assert!(!undos.take_try(&undo.realm, &undo.id, NOW).await?);
    Ok(())
}

async fn no_race_takes_more_tries_than_there_are(undos: &Undos) -> Outcome {
    let undo = undo_record(&realm("User1"), 1, 1);
    insert(undos, &undo).await?;
    let race = |undos: Arc<Records<dyn UndoStore>>, _| {
        let (realm, id) = (undo.realm.clone(), undo.id);
        async move { undos.take_try(&realm, &id, NOW).await }
    };
    assert_eq!(count(&undos.race(30, race).await?, &true), usize::from(UNDO_TRIES));
    Ok(())
}

async fn an_address_stays_reserved_until_the_expiry(undos: &Undos) -> Outcome {
    let (realm, email) = (realm("User1"), email_index(1));
    let undo = UndoRecord { reserved: Some(email), ..undo_record(&realm, 1, 1) };
    let later = UndoRecord { expires_at: undo.expires_at + LIFE, version: 9, ..undo_record(&realm, 1, 2) };
    let later = UndoRecord { reserved: Some(email), ..later };
    insert(undos, &undo).await?;
    let end = undo.expires_at;
    assert_eq!(undos.find_reservation(&realm, &email, end - MILLI).await?, Some(undo.clone()));
    assert_eq!(undos.find_reservation(&realm, &email, end).await?, None);
    assert_eq!(undos.find_reservation(&realm, &email_index(2), NOW).await?, None);
    assert_eq!(change(undos, check(&realm, email, 2, end - MILLI)).await?, Err(Refusal::EmailTaken));
    assert_eq!(change(undos, check(&realm, email, 1, end - MILLI)).await?, Ok(()), "it is that account's");
    assert_eq!(change(undos, check(&realm, email, 2, end)).await?, Ok(()));
    insert(undos, &later).await?;
    assert_eq!(undos.find_reservation(&realm, &email, NOW).await?, Some(later));
    assert_eq!(change(undos, check(&realm, email, 2, end)).await?, Err(Refusal::EmailTaken));
    Ok(())
}

async fn an_address_is_reserved_by_each_digest(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let (old, two, swapped) = (email_index(1), email_index_of_two(1, true), email_index_of_two(1, false));
    let undo = UndoRecord { reserved: Some(old), ..undo_record(&realm, 1, 1) };
    insert(undos, &undo).await?;
    insert(undos, &UndoRecord { reserved: None, ..undo_record(&realm, 1, 3) }).await?;
    let new = RingDigest::from(*swapped.newest());
    assert_eq!(undos.find_reservation(&realm, &two, NOW).await?, Some(undo.clone()));
    assert_eq!(undos.find_reservation(&realm, &new, NOW).await?, None);
    for id in [undo.id, undo_record(&realm, 1, 3).id, undo_record(&realm, 1, 9).id] {
        let reindex = Change::ReindexUndo { realm: realm.clone(), id, reserved: swapped };
        assert_eq!(change(undos, reindex).await?, Ok(()), "also where there is nothing to change");
    }
    let reindexed = UndoRecord { reserved: Some(swapped), ..undo };
    for index in [old, new, two, swapped] {
        assert_eq!(undos.find_reservation(&realm, &index, NOW).await?, Some(reindexed.clone()));
        assert_eq!(change(undos, check(&realm, index, 2, NOW)).await?, Err(Refusal::EmailTaken));
    }
    assert_eq!(undos.list(&realm, &user_id(1)).await?.iter().filter(|undo| undo.reserved.is_some()).count(), 1);
    Ok(())
}

async fn unused_records_are_limited(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let (token, end) = (digest("undo token", 1), undo_record(&realm, 1, 1).expires_at);
    let limit = |now, limit| Change::LimitUndos { realm: realm.clone(), user: user_id(1), limit, now };
    assert_eq!(change(undos, limit(NOW, 1)).await?, Ok(()));
    let used = UndoRecord { token: Some(token), ..undo_record(&realm, 1, 1) };
    for undo in [&used, &undo_record(&realm, 1, 2), &undo_record(&realm, 2, 3)] {
        insert(undos, undo).await?;
    }
    assert_eq!(change(undos, limit(NOW, 2)).await?, Err(Refusal::UndoLimit));
    assert_eq!(change(undos, limit(NOW, 3)).await?, Ok(()), "another account's do not count");
    assert_eq!(change(undos, limit(end, 1)).await?, Ok(()), "an expired one does not count");
    assert_eq!(change(undos, use_link(&used, token, NOW)).await?, Ok(()));
    assert_eq!(change(undos, limit(NOW, 1)).await?, Ok(()), "a used one does not count, nor do the younger ones");
    Ok(())
}

async fn a_used_record_still_reserves(undos: &Undos) -> Outcome {
    let (token, email) = (digest("undo token", 1), email_index(1));
    let undo = UndoRecord { token: Some(token), reserved: Some(email), ..undo_record(&realm("User1"), 1, 1) };
    insert(undos, &undo).await?;
    assert_eq!(change(undos, use_link(&undo, token, NOW)).await?, Ok(()));
    assert_eq!(change(undos, check(&undo.realm, email, 2, NOW)).await?, Err(Refusal::EmailTaken));
    assert!(undos.find_reservation(&undo.realm, &email, NOW).await?.is_some());
    Ok(())
}

async fn removes_all_of_an_account(undos: &Undos) -> Outcome {
    let (realm, email) = (realm("User1"), email_index(1));
    let undo = UndoRecord { reserved: Some(email), ..undo_record(&realm, 1, 1) };
    insert(undos, &undo).await?;
    insert(undos, &undo_record(&realm, 1, 2)).await?;
    insert(undos, &undo_record(&realm, 2, 3)).await?;
    assert_eq!(change(undos, Change::RemoveUndos { realm: realm.clone(), user: user_id(1) }).await?, Ok(()));
    assert_eq!(undos.list(&realm, &user_id(1)).await?, []);
    assert_eq!(undos.list(&realm, &user_id(2)).await?.len(), 1);
    assert_eq!(change(undos, check(&realm, email, 2, NOW)).await?, Ok(()));
    Ok(())
}

async fn purges_what_has_expired_and_nothing_else(undos: &Undos) -> Outcome {
    let realm = realm("User1");
    let undo = undo_record(&realm, 1, 1);
    let later = UndoRecord { expires_at: undo.expires_at + MILLI, version: 9, ..undo_record(&realm, 1, 2) };
    insert(undos, &undo).await?;
    insert(undos, &later).await?;
    assert_eq!(undos.purge_expired(undo.expires_at - MILLI).await?, 0);
    assert_eq!(undos.purge_expired(undo.expires_at).await?, 1);
    assert_eq!(undos.list(&realm, &user_id(1)).await?, [later]);
    Ok(())
}
