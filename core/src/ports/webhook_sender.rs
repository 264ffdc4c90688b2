//! Sends messages to webhooks.

use async_trait::async_trait;

use crate::model::ids::{JobId, WebhookId};
use crate::model::realm::Realm;
use crate::model::sealed::DataKey;
use crate::model::webhook::WebhookEvent;
use crate::ports::mailer::SendError;

/// A message to a webhook.
#[derive(Debug, Clone)]
pub struct WebhookMessage {
    /// The id of the message: the same for every try, so that a receiver recognises a second delivery.
    pub id: JobId,
    /// The receiver.
    pub webhook: WebhookId,
    /// Its address.
    pub url: String,
    /// The realm of the event.
    pub realm: Realm,
    /// The event.
    pub event: WebhookEvent,
    /// The secrets that sign the message, the newest first.
    pub secrets: Vec<DataKey>,
}

/// The answer of a receiver that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// It has the message.
    Accepted,
    /// It wants no message any more (410).
    Gone,
}

/// Signs a message and posts it. It never connects to an address inside the operator's network, unless the operator allows
/// it, whatever the URL or a name server says, and follows no redirect.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Whether a URL can be one of a webhook. A name is not resolved.
    ///
    /// # Errors
    /// Why it can't be, in words for its author.
    fn check_url(&self, url: &str) -> Result<(), String>;

    /// Sends a message. The reason of a failure has no part of the URL or of the answer's body.
    ///
    /// # Errors
    /// When the receiver can't be reached, or gives another answer.
    async fn send(&self, message: &WebhookMessage) -> Result<WebhookAnswer, SendError>;
}
