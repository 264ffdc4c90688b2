//! The mailbox as a [`Texter`].

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::{Channel, TextMessage};
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};
use portcullis_core::ports::texter::Texter;
use serde_json::json;

use crate::mail::people_duration;
use crate::outbox::{MailboxEntry, Outbox};

#[async_trait]
impl Texter for Outbox {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &TextMessage,
    ) -> Result<(), SendError> {
        if !self.parts.shown {
            return Err(SendError::Never("no telephone service is set (TWILIO_SID)".to_owned()));
        }
        let template = match (message.for_login, channel) {
            (false, Channel::Sms) => "otp",
            (false, Channel::Voice) => "otp_voice",
            (true, Channel::Sms) => "mfa_otp",
            (true, Channel::Voice) => "mfa_otp_voice",
        };
        let values = json!({
            "app_name": self.parts.links.app_name,
            "code": message.code.expose(),
            "expires_in": people_duration(message.expires_in),
        });
        let text = self.parts.renderer.render_text(template, values);
        let entry = MailboxEntry {
            channel: channel.as_str().to_owned(),
            to: to.as_str().to_owned(),
            template: template.to_owned(),
            subject: None,
            text: text.map_err(|error| SendError::Later(error.to_string()))?,
            html: None,
            links: Vec::new(),
            code: Some(message.code.expose().to_owned()),
            at: String::new(),
        };
        self.keep(envelope, entry).await.map_err(|error| SendError::Later(error.to_string()))
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        Mailer::forget(self, realm, subject).await;
    }

    async fn healthy(&self) -> Option<bool> {
        self.parts.shown.then_some(true)
    }
}
