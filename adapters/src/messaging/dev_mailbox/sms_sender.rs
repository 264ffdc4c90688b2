//! The mailbox as a [`SmsSender`].

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::{Channel, SmsMessage};
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};
use portcullis_core::ports::sms_sender::SmsSender;

use crate::messaging::dev_mailbox::{DevMailbox, MailboxEntry};
use crate::messaging::sms::render;

#[async_trait]
impl SmsSender for DevMailbox {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError> {
        let parts = &self.parts;
        if !parts.shown {
            return Err(SendError::Never("no SMS provider is set (TWILIO_SID)".to_owned()));
        }
        let worded = render(&parts.renderer, &parts.links, &envelope.locale, channel, message)?;
        let entry = MailboxEntry {
            channel: channel.as_str().to_owned(),
            to: to.as_str().to_owned(),
            template: worded.template.to_owned(),
            subject: None,
            text: worded.text,
            html: None,
            links: Vec::new(),
            code: Some(message.code.expose().to_owned()),
            at: String::new(),
        };
        self.store_copy(envelope, entry).await.map_err(|error| SendError::Later(error.to_string()))?;
        match &parts.forward_texts {
            Some(forward) => forward.send(envelope, to, channel, message).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        Mailer::forget(self, realm, subject).await;
    }

    async fn health(&self) -> Option<Result<(), String>> {
        match &self.parts.forward_texts {
            Some(forward) => forward.health().await,
            None => self.parts.shown.then_some(Ok(())),
        }
    }
}
