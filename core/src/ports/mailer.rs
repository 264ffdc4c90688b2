//! E-mail.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::email::Email;
use crate::model::ids::{JobId, UserId};
use crate::model::locale::Locale;
use crate::model::message::EmailMessage;
use crate::model::realm::Realm;

/// Why a message did not go out.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It may work later: the server is away, busy, or asks to wait.
    #[error("could not be delivered now: {0}")]
    Later(String),
    /// The same, and the service said how long it wants to be left alone.
    #[error("could not be delivered now: {1}")]
    After(Duration, String),
    /// It never will: the server refuses this message or address for good.
    #[error("refused: {0}")]
    Never(String),
}

/// The recipient of a message, and the ids that make it unique.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The population; links carry it.
    pub realm: Realm,
    /// The user or registration it is about.
    pub subject: UserId,
    /// The job that sends it: the same for every try, so that `Message-ID` is stable.
    pub job: JobId,
    /// How many messages of this job came before it.
    pub part: u32,
    /// The language of the message.
    pub locale: Locale,
}

/// Renders a message and sends it by a mail server. The reasons in its errors contain no personal data.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one message to the stored spelling of an address.
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError>;

    /// Erasure: removes the stored copies of messages about a subject.
    async fn forget(&self, realm: &Realm, subject: &UserId);

    /// Whether its server can be used, or why not, without an address or a password; `None` where there is none to ask.
    async fn health(&self) -> Option<Result<(), String>>;
}
