//! Contract cases of the key rotation store, over the keys of accounts, registrations, sent messages and
//! webhooks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::sent_message_store::copy;
use super::webhook_store::webhook;
use super::{Backend, Case, Outcome, Setup, count};
use crate::samples::{NOW, email_index, person, realm, registration, user};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::WrappedKey;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::stored_key::{KeyReplacement, RecordKind, StoredDataKey};
use portcullis_core::model::user::{Registration, SealedPerson, User};
use portcullis_core::model::webhook::Webhook;
use portcullis_core::ports::database::{Change, Database, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_core::ports::webhook_store::WebhookStore;

/// The port and the stores whose records hold the keys.
pub struct RecordsWithKeys {
    keys: Arc<dyn KeyRotationStore>,
    database: Arc<dyn Database>,
    users: Arc<dyn UserStore>,
    registrations: Arc<dyn RegistrationStore>,
    messages: Arc<dyn SentMessageStore>,
    webhooks: Arc<dyn WebhookStore>,
}

/// A record of any kind.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a test has a handful of them")]
enum AnyRecord {
    User(User),
    Registration(Registration),
    Message(StoredMessage),
    Webhook(Webhook),
}

impl AnyRecord {
    fn nth(kind: RecordKind, realm: &Realm, n: u64) -> Self {
        match kind {
            RecordKind::Users => Self::User(user(realm, n)),
            RecordKind::Registrations => Self::Registration(registration(realm, n)),
            RecordKind::SentMessages => Self::Message(copy(realm, n)),
            RecordKind::Webhooks => Self::Webhook(webhook(realm, n)),
        }
    }

    fn key(&self) -> StoredDataKey {
        let (realm, record, part, key) = match self {
            Self::User(user) => (&user.realm, *user.id.as_bytes(), 0, &user.person.key),
            Self::Registration(one) => (&one.realm, *one.id.as_bytes(), 0, &one.person.key),
            Self::Message(copy) => (&copy.realm, *copy.job.as_bytes(), copy.part, &copy.key),
            Self::Webhook(one) => (&one.realm, *one.id.as_bytes(), 0, &one.secret),
        };
        StoredDataKey { realm: realm.clone(), record, part, key: key.clone() }
    }

    fn with_key(&self, key: WrappedKey) -> Self {
        let mut changed = self.clone();
        match &mut changed {
            Self::User(user) => user.person.key = key,
            Self::Registration(one) => one.person.key = key,
            Self::Message(copy) => copy.key = key,
            Self::Webhook(one) => one.secret = key,
        }
        changed
    }

    /// A replacement of its key by the n-th new one.
    fn replacement(&self, n: u64) -> KeyReplacement {
        KeyReplacement { expected: self.key(), new: new_key(n) }
    }
}

fn new_key(n: u64) -> WrappedKey {
    person(1_000 + n).key
}

impl RecordsWithKeys {
    /// Those of a backend that offers all of them.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        Some(Self {
            keys: backend.key_rotation_store.clone()?,
            database: backend.database.clone()?,
            users: backend.user_store.clone()?,
            registrations: backend.registration_store.clone()?,
            messages: backend.sent_message_store.clone()?,
            webhooks: backend.webhook_store.clone()?,
        })
    }

    async fn commit(&self, change: Change) -> Result<(), PortError> {
        let outcome = self.database.commit(UnitOfWork::of(change)).await?;
        outcome.map(|_| ()).map_err(|refusal| PortError::new("database", refusal))
    }

    async fn insert(&self, record: &AnyRecord) -> Result<(), PortError> {
        match record.clone() {
            AnyRecord::User(user) => self.commit(Change::InsertUser(Box::new(user))).await,
            AnyRecord::Registration(one) => {
                self.commit(Change::InsertRegistration { registration: Box::new(one), limit: 100, now: NOW }).await
            }
            AnyRecord::Message(copy) => self.messages.put(copy).await,
            AnyRecord::Webhook(one) => self.commit(Change::InsertWebhook(Box::new(one))).await,
        }
    }

    async fn find(&self, record: &AnyRecord) -> Result<Option<AnyRecord>, PortError> {
        Ok(match record {
            AnyRecord::User(user) => self.users.find(&user.realm, &user.id).await?.map(AnyRecord::User),
            AnyRecord::Registration(one) => {
                self.registrations.find(&one.realm, &one.id, NOW).await?.map(AnyRecord::Registration)
            }
            AnyRecord::Webhook(one) => self.webhooks.find(&one.realm, &one.id).await?.map(AnyRecord::Webhook),
            AnyRecord::Message(copy) => {
                let mut all = self.messages.newest(100).await?.into_iter();
                all.find(|one| (&one.realm, one.job) == (&copy.realm, copy.job)).map(AnyRecord::Message)
            }
        })
    }

    async fn remove(&self, record: &AnyRecord) -> Result<(), PortError> {
        match record {
            AnyRecord::User(User { realm, id, version, .. }) => {
                self.commit(Change::DeleteUser { realm: realm.clone(), id: *id, expected: *version }).await
            }
            AnyRecord::Registration(Registration { realm, id, .. }) => {
                self.commit(Change::RemoveRegistration { realm: realm.clone(), id: *id }).await
            }
            AnyRecord::Message(copy) => self.messages.forget(&copy.realm, &copy.subject).await,
            AnyRecord::Webhook(Webhook { realm, id, .. }) => {
                self.commit(Change::RemoveWebhook { realm: realm.clone(), id: *id }).await
            }
        }
    }
}

type Records = Setup<RecordsWithKeys>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<RecordsWithKeys>> {
    cases![
        returns_every_key_once,
        replaces_the_expected_keys_and_nothing_else,
        replaces_keys_of_any_length,
        a_changed_or_removed_record_keeps_its_state,
        one_of_many_racing_replacements_wins,
        a_racing_replacement_undoes_no_removal,
        replacing_an_account_leaves_its_key,
        replaces_the_key_of_one_registration_of_an_address,
        purging_replaced_keys_succeeds,
    ]
}

async fn returns_every_key_once(records: &Records) -> Outcome {
    let realms = [realm("User1"), realm("User2")];
    for kind in RecordKind::ALL {
        assert_eq!(records.keys.keys(kind, None, 10).await?.keys, Vec::new());
        assert_eq!(records.keys.count_keys(kind).await?, 0);
        let mut wanted = BTreeSet::new();
        for n in 0..25 {
            let [here, there] = &realms;
            let record = AnyRecord::nth(kind, if n % 3 == 0 { there } else { here }, n);
            records.insert(&record).await?;
            wanted.insert(sortable(&record.key()));
        }
        assert_eq!(records.keys.count_keys(kind).await?, 25);
        for limit in [1, 10, 25, 100] {
            let (mut cursor, mut seen) = (None, Vec::new());
            loop {
                let page = records.keys.keys(kind, cursor, limit).await?;
                seen.extend(page.keys);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
                assert!(seen.len() <= 25, "it never ends");
            }
            let all: BTreeSet<_> = seen.iter().map(sortable).collect();
            assert_eq!((seen.len(), all), (25, wanted.clone()), "{kind:?}, {limit} at a time");
        }
    }
    Ok(())
}

fn sortable(key: &StoredDataKey) -> (String, [u8; 16], u32, Vec<u8>) {
    (key.realm.to_string(), key.record, key.part, key.key.as_bytes().to_vec())
}

async fn replaces_the_expected_keys_and_nothing_else(records: &Records) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    for kind in RecordKind::ALL {
        let [one, two, other] = [(&here, 1), (&here, 2), (&there, 3)].map(|(realm, n)| AnyRecord::nth(kind, realm, n));
        for record in [&one, &two, &other] {
            records.insert(record).await?;
        }
        assert_eq!(records.keys.replace_keys(kind, Vec::new()).await?, 0);
        assert_eq!(records.keys.replace_keys(kind, vec![one.replacement(1), two.replacement(2)]).await?, 2);
        assert_eq!(records.find(&one).await?, Some(one.with_key(new_key(1))));
        assert_eq!(records.find(&two).await?, Some(two.with_key(new_key(2))));
        assert_eq!(records.find(&other).await?, Some(other));
    }
    Ok(())
}

async fn replaces_keys_of_any_length(records: &Records) -> Outcome {
    for kind in RecordKind::ALL {
        let mut record = AnyRecord::nth(kind, &realm("User1"), 1);
        records.insert(&record).await?;
        for length in [1, 65, 5_000, 64] {
            let new = WrappedKey::from_bytes(vec![7; length]);
            let replacement = KeyReplacement { expected: record.key(), new: new.clone() };
            assert_eq!(records.keys.replace_keys(kind, vec![replacement]).await?, 1);
            record = record.with_key(new);
            assert_eq!(records.find(&record).await?.as_ref(), Some(&record));
        }
    }
    Ok(())
}

async fn a_changed_or_removed_record_keeps_its_state(records: &Records) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    for kind in RecordKind::ALL {
        let [kept, removed, changed] = [1, 2, 3].map(|n| AnyRecord::nth(kind, &here, n));
        let elsewhere = AnyRecord::nth(kind, &there, 1);
        for record in [&kept, &removed, &changed] {
            records.insert(record).await?;
        }
        records.remove(&removed).await?;
        assert_eq!(records.keys.replace_keys(kind, vec![changed.replacement(1)]).await?, 1);
        let mut late = vec![removed.replacement(2), changed.replacement(2), kept.replacement(2)];
        if kind != RecordKind::SentMessages {
            // a job belongs to one realm
            late.push(elsewhere.replacement(2));
        }
        assert_eq!(records.keys.replace_keys(kind, late).await?, 1);
        assert_eq!(records.find(&removed).await?, None);
        assert_eq!(records.find(&elsewhere).await?, None);
        assert_eq!(records.find(&changed).await?, Some(changed.with_key(new_key(1))));
        assert_eq!(records.find(&kept).await?, Some(kept.with_key(new_key(2))));
    }
    Ok(())
}

async fn one_of_many_racing_replacements_wins(records: &Records) -> Outcome {
    for kind in RecordKind::ALL {
        let record = AnyRecord::nth(kind, &realm("User1"), 1);
        records.insert(&record).await?;
        let replace = |records: Arc<RecordsWithKeys>, n| {
            let replacement = record.replacement(n);
            async move { Ok((records.keys.replace_keys(kind, vec![replacement]).await?, n)) }
        };
        let answers = records.race(20, replace).await?;
        let won: Vec<u64> = answers.iter().filter(|(replaced, _)| *replaced == 1).map(|(_, n)| *n).collect();
        assert_eq!((won.len(), answers.iter().filter(|(replaced, _)| *replaced == 0).count()), (1, 19));
        let kept = won.iter().map(|n| record.with_key(new_key(*n))).next();
        assert_eq!(records.find(&record).await?, kept);
    }
    Ok(())
}

async fn a_racing_replacement_undoes_no_removal(records: &Records) -> Outcome {
    for kind in RecordKind::ALL {
        for n in 0..10 {
            let record = AnyRecord::nth(kind, &realm("User1"), n);
            records.insert(&record).await?;
            let either = |records: Arc<RecordsWithKeys>, runner: u64| {
                let (record, replacement) = (record.clone(), record.replacement(runner));
                async move {
                    if runner == 0 {
                        return records.remove(&record).await.map(|()| true);
                    }
                    records.keys.replace_keys(kind, vec![replacement]).await.map(|_| false)
                }
            };
            assert_eq!(count(&records.race(4, either).await?, &true), 1);
            assert_eq!(records.find(&record).await?, None);
        }
    }
    Ok(())
}

/// A use case may read the account before a rotation replaces its key, and store it afterwards.
async fn replacing_an_account_leaves_its_key(records: &Records) -> Outcome {
    let before = user(&realm("User1"), 1);
    let record = AnyRecord::User(before.clone());
    records.insert(&record).await?;
    assert_eq!(records.keys.replace_keys(RecordKind::Users, vec![record.replacement(9)]).await?, 1);
    let person = SealedPerson { key: before.person.key.clone(), ..person(2) };
    let after = User { person, version: 2, ..before };
    records.commit(Change::ReplaceUser { user: Box::new(after.clone()), expected: 1 }).await?;
    let kept = AnyRecord::User(after).with_key(new_key(9));
    assert_eq!(records.find(&kept).await?, Some(kept));
    Ok(())
}

async fn replaces_the_key_of_one_registration_of_an_address(records: &Records) -> Outcome {
    let realm = realm("User1");
    let of_one_address = |n| Registration { person: person(1), contested: true, ..registration(&realm, n) };
    // one of them has expired: it holds a key all the same
    let expired = Registration { expires_at: NOW, ..of_one_address(3) };
    let all = [of_one_address(1), of_one_address(2), expired].map(AnyRecord::Registration);
    for record in &all {
        records.insert(record).await?;
    }
    let page = records.keys.keys(RecordKind::Registrations, None, 100).await?;
    let ids: BTreeSet<[u8; 16]> = page.keys.iter().map(|key| key.record).collect();
    assert_eq!((page.keys.len(), ids), (3, all.iter().map(|record| record.key().record).collect()));
    let [first, second, expired] = &all;
    let replacements = vec![second.replacement(8), expired.replacement(9)];
    assert_eq!(records.keys.replace_keys(RecordKind::Registrations, replacements).await?, 2);
    let pending = records.registrations.find_by_email(&realm, &email_index(1), NOW).await?;
    let pending: Vec<AnyRecord> = pending.into_iter().map(AnyRecord::Registration).collect();
    assert_eq!(pending, [first.clone(), second.with_key(new_key(8))]);
    Ok(())
}

async fn purging_replaced_keys_succeeds(records: &Records) -> Outcome {
    Ok(records.keys.purge_replaced_keys().await?)
}
