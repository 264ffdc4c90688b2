//! Where webhooks live.

use async_trait::async_trait;

use crate::model::ids::WebhookId;
use crate::model::realm::Realm;
use crate::model::webhook::Webhook;
use crate::ports::error::PortError;

/// Webhooks by realm and id.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// The webhook of that id.
    async fn find(&self, realm: &Realm, id: &WebhookId) -> Result<Option<Webhook>, PortError>;

    /// All webhooks of a realm, by id. One that is refused is left out.
    async fn list(&self, realm: &Realm) -> Result<Vec<Webhook>, PortError>;
}
