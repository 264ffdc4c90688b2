//! Webhooks in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::Webhook;
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::webhook_store::WebhookStore;

/// Webhooks by realm and id.
pub(crate) type Webhooks = BTreeMap<(Realm, WebhookId), Webhook>;

/// Keeps webhooks as long as it lives.
#[derive(Debug)]
pub struct FakeWebhookStore {
    pub(crate) webhooks: Locked<Webhooks>,
    faults: Faults,
}

impl FakeWebhookStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { webhooks: Locked::default(), faults: Faults::new("webhook_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, by realm and id.
    #[must_use]
    pub fn all(&self) -> Vec<Webhook> {
        self.webhooks.lock().values().cloned().collect()
    }
}

impl Default for FakeWebhookStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

/// Applies the changes of webhooks; `Ok` for a change of anything else.
pub(super) fn apply(webhooks: &mut Webhooks, change: &Change) -> Result<(), Refusal> {
    let key = |webhook: &Webhook| (webhook.realm.clone(), webhook.id);
    match change {
        Change::InsertWebhook(webhook) => {
            if webhooks.contains_key(&key(webhook)) {
                return Err(Refusal::IdTaken);
            }
            webhooks.insert(key(webhook), (**webhook).clone());
            Ok(())
        }
        Change::ReplaceWebhook { webhook, expected, new_secret } => {
            let stored = webhooks.get_mut(&key(webhook)).ok_or(Refusal::WebhookGone)?;
            if stored.version != *expected {
                return Err(Refusal::WebhookStale);
            }
            let secret = if *new_secret { webhook.secret.clone() } else { stored.secret.clone() };
            *stored = Webhook { secret, ..(**webhook).clone() };
            Ok(())
        }
        Change::RemoveWebhook { realm, id } => {
            webhooks.remove(&(realm.clone(), *id)).map(|_| ()).ok_or(Refusal::WebhookGone)
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl WebhookStore for FakeWebhookStore {
    async fn find(&self, realm: &Realm, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        self.faults.call("find", || self.webhooks.lock().get(&(realm.clone(), *id)).cloned())
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Webhook>, PortError> {
        self.faults.call("list", || {
            let webhooks = self.webhooks.lock();
            webhooks.values().filter(|webhook| webhook.realm == *realm).cloned().collect()
        })
    }
}
