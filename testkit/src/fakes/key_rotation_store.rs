//! The wrapped keys of the other fakes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::fakes::check_value_store::FakeCheckValueStore;
use crate::fakes::registration_store::FakeRegistrationStore;
use crate::fakes::sent_message_store::FakeSentMessageStore;
use crate::fakes::user_store::FakeUserStore;
use crate::fakes::webhook_store::FakeWebhookStore;
use crate::faults::{FaultPlan, Faults};
use portcullis_core::model::ids::{UserId, WebhookId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::WrappedKey;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::stored_key::{KeyPage, KeyReplacement, RecordKind, SignedAgain, StoredDataKey};
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;

/// The keys of accounts, registrations, sent messages and webhooks.
#[derive(Debug)]
pub struct FakeKeyRotationStore {
    users: Arc<FakeUserStore>,
    registrations: Arc<FakeRegistrationStore>,
    sent_messages: Arc<FakeSentMessageStore>,
    webhooks: Arc<FakeWebhookStore>,
    checks: Arc<FakeCheckValueStore>,
    faults: Faults,
}

impl FakeKeyRotationStore {
    /// The keys of these fakes, in a store that breaks as the plan says.
    #[must_use]
    pub fn new(
        users: Arc<FakeUserStore>,
        registrations: Arc<FakeRegistrationStore>,
        sent_messages: Arc<FakeSentMessageStore>,
        webhooks: Arc<FakeWebhookStore>,
        checks: Arc<FakeCheckValueStore>,
        plan: &FaultPlan,
    ) -> Self {
        let faults = Faults::new("key_rotation_store", plan);
        Self { users, registrations, sent_messages, webhooks, checks, faults }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// All keys of a kind, by a text that sorts.
    fn all(&self, kind: RecordKind) -> BTreeMap<String, StoredDataKey> {
        let stored = |realm: &Realm, id: UserId, key: &WrappedKey| {
            let key = StoredDataKey { realm: realm.clone(), record: *id.as_bytes(), part: 0, key: key.clone() };
            (format!("{realm}/{id}"), key)
        };
        match kind {
            RecordKind::Users => {
                self.users.users.lock().values().map(|one| stored(&one.realm, one.id, &one.person.key)).collect()
            }
            RecordKind::Registrations => {
                let all = self.registrations.pending.lock();
                all.values().map(|one| stored(&one.realm, one.id, &one.person.key)).collect()
            }
            RecordKind::Webhooks => {
                let all = self.webhooks.webhooks.lock();
                all.values()
                    .map(|one| stored(&one.realm, UserId::from_bytes(*one.id.as_bytes()), &one.secret))
                    .collect()
            }
            RecordKind::SentMessages => {
                let all = self.sent_messages.all().into_iter();
                all.map(|one| (format!("{}/{:010}", one.job, one.part), key_of(one))).collect()
            }
        }
    }

    fn replace(&self, kind: RecordKind, KeyReplacement { expected, new }: KeyReplacement) -> bool {
        let id = (expected.realm.clone(), UserId::from_bytes(expected.record));
        let swap = |key: &mut WrappedKey| {
            let same = *key == expected.key;
            if same {
                *key = new.clone();
            }
            same
        };
        match kind {
            RecordKind::Users => self.users.users.lock().get_mut(&id).is_some_and(|one| swap(&mut one.person.key)),
            RecordKind::Registrations => {
                self.registrations.pending.lock().get_mut(&id).is_some_and(|one| swap(&mut one.person.key))
            }
            RecordKind::Webhooks => {
                let id = (expected.realm.clone(), WebhookId::from_bytes(expected.record));
                self.webhooks.webhooks.lock().get_mut(&id).is_some_and(|one| swap(&mut one.secret))
            }
            RecordKind::SentMessages => {
                let mut all = self.sent_messages.copies.lock();
                let found = all.iter_mut().find(|copy| key_of((*copy).clone()) == expected);
                found.is_some_and(|copy| swap(&mut copy.key))
            }
        }
    }
}

fn key_of(copy: StoredMessage) -> StoredDataKey {
    StoredDataKey { realm: copy.realm, record: *copy.job.as_bytes(), part: copy.part, key: copy.key }
}

#[async_trait]
impl CheckValueStore for FakeKeyRotationStore {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.checks.check_value(name).await
    }

    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        self.checks.check_value_or_insert(name, value).await
    }

    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError> {
        self.checks.replace_check_value(name, expected, new).await
    }
}

#[async_trait]
impl KeyRotationStore for FakeKeyRotationStore {
    async fn count_keys(&self, kind: RecordKind) -> Result<u64, PortError> {
        self.faults.call("count_keys", || self.all(kind).len() as u64)
    }

    async fn keys(&self, kind: RecordKind, after: Option<String>, limit: u32) -> Result<KeyPage, PortError> {
        self.faults.call("keys", || {
            let mut all = self.all(kind);
            all.retain(|place, _| after.as_ref().is_none_or(|after| place > after));
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = all.len() > limit;
            let (places, keys): (Vec<String>, Vec<StoredDataKey>) = all.into_iter().take(limit).unzip();
            KeyPage { keys, next_cursor: places.into_iter().next_back().filter(|_| more) }
        })
    }

    async fn replace_keys(&self, kind: RecordKind, replacements: Vec<KeyReplacement>) -> Result<u64, PortError> {
        self.faults
            .call("replace_keys", || replacements.into_iter().map(|one| u64::from(self.replace(kind, one))).sum())
    }

    async fn count_macs(&self, _key: u32) -> Result<u64, PortError> {
        self.faults.call("count_macs", || 0)
    }

    async fn sign_again(&self, _key: u32, _limit: u32) -> Result<SignedAgain, PortError> {
        self.faults.call("sign_again", SignedAgain::default)
    }

    async fn purge_replaced_keys(&self) -> Result<(), PortError> {
        self.faults.call("purge_replaced_keys", || ())
    }
}
