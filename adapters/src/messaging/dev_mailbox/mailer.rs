//! The mailbox as a [`Mailer`].

use async_trait::async_trait;
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};

use crate::messaging::dev_mailbox::{DevMailbox, MailboxEntry};
use crate::messaging::email::render;

#[async_trait]
impl Mailer for DevMailbox {
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError> {
        let parts = &self.parts;
        let mail = render(&parts.renderer, &parts.links, envelope, message)?;
        let entry = MailboxEntry {
            channel: "email".to_owned(),
            to: to.as_str().to_owned(),
            template: message.template().to_owned(),
            subject: Some(mail.rendered.subject),
            text: mail.rendered.text,
            html: Some(mail.rendered.html),
            links: mail.link.into_iter().collect(),
            code: mail.code,
            at: String::new(),
        };
        self.store_copy(envelope, entry).await.map_err(|error| SendError::Later(error.to_string()))?;
        match &parts.forward {
            Some(forward) => forward.send(envelope, to, message).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        if let Err(error) = self.parts.store.forget(realm, subject).await {
            tracing::error!("copies of messages could not be dropped: {error}");
        }
    }

    async fn health(&self) -> Option<Result<(), String>> {
        match &self.parts.forward {
            Some(forward) => forward.health().await,
            None => Some(Ok(())),
        }
    }
}
