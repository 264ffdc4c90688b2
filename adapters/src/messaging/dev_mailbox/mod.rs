//! The development mailbox: a sealed copy of every e-mail, SMS and call, for `/dev/mailbox`. If a real server is set, the
//! message is sent too.

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

use crate::messaging::links::LinkBuilder;
use crate::messaging::templates::Renderer;

/// A message as the mailbox shows it. `Debug` shows nothing of a person and no code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxEntry {
    /// `email`, `sms` or `voice`.
    pub channel: String,
    /// The address or number.
    pub to: String,
    /// The message.
    pub template: String,
    /// The subject, for an e-mail.
    pub subject: Option<String>,
    /// The text part.
    pub text: String,
    /// The HTML part, for an e-mail.
    pub html: Option<String>,
    /// Every link in it.
    pub links: Vec<String>,
    /// The code in it.
    pub code: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

impl std::fmt::Debug for MailboxEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { channel, template, .. } = self;
        f.debug_struct("MailboxEntry").field("channel", channel).field("template", template).finish_non_exhaustive()
    }
}

/// The dependencies of the mailbox.
pub struct MailboxParts {
    /// Renders messages.
    pub renderer: Arc<Renderer>,
    /// Builds links.
    pub links: LinkBuilder,
    /// Seals copies.
    pub cipher: Arc<dyn FieldCipher>,
    /// Stores copies.
    pub store: Arc<dyn SentMessageStore>,
    /// Dates copies.
    pub clock: Arc<dyn Clock>,
    /// The real mail server, if one is set.
    pub forward: Option<Arc<dyn Mailer>>,
    /// The real SMS provider, if one is set.
    pub forward_texts: Option<Arc<dyn SmsSender>>,
    /// Whether `/dev/mailbox` exists. If not, an SMS without a provider fails.
    pub shown: bool,
}

/// The mailbox: a [`Mailer`] and an [`SmsSender`].
pub struct DevMailbox {
    parts: MailboxParts,
}

impl DevMailbox {
    /// A mailbox.
    #[must_use]
    pub const fn new(parts: MailboxParts) -> Self {
        Self { parts }
    }

    /// The newest messages first, `limit` at most, without copies whose key is no longer in the ring.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, limit: u32) -> Result<Vec<MailboxEntry>, PortError> {
        let copies = self.parts.store.newest(limit).await?;
        Ok(copies.iter().filter_map(|copy| self.decrypt(copy).ok()).collect())
    }

    fn decrypt(&self, copy: &StoredMessage) -> Result<MailboxEntry, PortError> {
        let place = AadContext { realm: &copy.realm, record: copy.job.as_bytes(), field: Field::Message };
        let key = self.parts.cipher.unwrap(&copy.key, place)?;
        let message = self.parts.cipher.open(&key, place, &copy.message)?;
        serde_json::from_slice(&message).map_err(|error| PortError::new("sent_message_store", error))
    }

    /// Stores a copy and logs its link and code, without personal data.
    async fn store_copy(&self, envelope: &Envelope, mut entry: MailboxEntry) -> Result<(), PortError> {
        let at = self.parts.clock.now();
        entry.at = crate::messaging::email::rfc3339(at);
        let (cipher, record) = (&self.parts.cipher, envelope.job.as_bytes());
        let place = AadContext { realm: &envelope.realm, record, field: Field::Message };
        let (key, wrapped) = cipher.new_key(place)?;
        let plain = serde_json::to_vec(&entry).map_err(|error| PortError::new("sent_message_store", error))?;
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
