//! The development mailbox: every e-mail, text and call, kept sealed on a shelf and shown to whoever develops. Where
//! a real server is set as well, the message goes there too.

pub mod mailer;
pub mod sms_sender;

use std::sync::Arc;

use portcullis_core::model::sealed::{AadContext, Field};
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::mailer::{Envelope, Mailer};
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::sms_sender::SmsSender;
use serde::{Deserialize, Serialize};

use crate::messaging::links::Links;
use crate::messaging::templates::Renderer;

/// A message as the mailbox shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxEntry {
    /// `email`, `sms` or `voice`.
    pub channel: String,
    /// The address or number.
    pub to: String,
    /// The message.
    pub template: String,
    /// Of an e-mail.
    pub subject: Option<String>,
    /// The text part.
    pub text: String,
    /// Of an e-mail.
    pub html: Option<String>,
    /// Every link in it.
    pub links: Vec<String>,
    /// The code in it.
    pub code: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

/// What the mailbox is made of.
pub struct Parts {
    /// Gives messages words.
    pub renderer: Arc<Renderer>,
    /// Makes links.
    pub links: Links,
    /// Seals copies.
    pub cipher: Arc<dyn FieldCipher>,
    /// Keeps copies.
    pub store: Arc<dyn SentMessageStore>,
    /// Dates copies.
    pub clock: Arc<dyn Clock>,
    /// Where e-mail goes besides.
    pub forward: Option<Arc<dyn Mailer>>,
    /// Where texts and calls go besides.
    pub forward_texts: Option<Arc<dyn SmsSender>>,
    /// Whether anybody can look into the mailbox: where nobody can, it is no place for texts.
    pub shown: bool,
}

/// The mailbox. A [`Mailer`] and a `SmsSender`.
pub struct Outbox {
    parts: Parts,
}

impl Outbox {
    /// A mailbox.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// The newest messages first, `limit` at most. A copy whose key has left the ring is passed over.
    ///
    /// # Errors
    /// When the shelf fails.
    pub async fn list(&self, limit: u32) -> Result<Vec<MailboxEntry>, PortError> {
        let copies = self.parts.store.newest(limit).await?;
        Ok(copies.iter().filter_map(|copy| self.open(copy).ok()).collect())
    }

    fn open(&self, copy: &StoredMessage) -> Result<MailboxEntry, PortError> {
        let place = AadContext { realm: &copy.realm, record: copy.job.as_bytes(), field: Field::Message };
        let key = self.parts.cipher.unwrap(&copy.key, place)?;
        let message = self.parts.cipher.open(&key, place, &copy.message)?;
        serde_json::from_slice(&message).map_err(|error| PortError::new("outbox", error))
    }

    /// Keeps a copy, and tells the console where to click: the link and the code, nothing about the person.
    async fn keep(&self, envelope: &Envelope, mut entry: MailboxEntry) -> Result<(), PortError> {
        let at = self.parts.clock.now();
        entry.at = crate::messaging::email::rfc3339(at);
        let (cipher, record) = (&self.parts.cipher, envelope.job.as_bytes());
        let place = AadContext { realm: &envelope.realm, record, field: Field::Message };
        let (key, wrapped) = cipher.new_key(place)?;
        let plain = serde_json::to_vec(&entry).map_err(|error| PortError::new("outbox", error))?;
        let copy = StoredMessage {
            realm: envelope.realm.clone(),
            subject: envelope.subject,
            job: envelope.job,
            part: envelope.part,
            key: wrapped,
            message: cipher.seal(&key, place, &plain)?,
            at,
        };
        self.parts.store.put(copy).await?;
        let (link, code) = (entry.links.first().map_or("", String::as_str), entry.code.as_deref().unwrap_or_default());
        tracing::info!(target: "mailbox", channel = entry.channel, template = entry.template, link, code, "a message");
        Ok(())
    }
}
