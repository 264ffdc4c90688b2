//! Texts and calls.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::message::{Channel, SmsMessage};
use crate::model::phone::Phone;
use crate::model::realm::Realm;
use crate::ports::mailer::{Envelope, SendError};

/// Renders a message and sends it by an SMS provider. The reasons in its errors contain no personal data.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Sends one message to the number on record.
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError>;

    /// Erasure: removes the stored copies of messages about a subject.
    async fn forget(&self, realm: &Realm, subject: &UserId);

    /// Whether its service can be used, or why not, without an address or a password; `None` where there is none to ask.
    async fn health(&self) -> Option<Result<(), String>>;
}
