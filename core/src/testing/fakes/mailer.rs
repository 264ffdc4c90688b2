//! E-mails into an outbox.

use async_trait::async_trait;

use crate::model::email::Email;
use crate::model::ids::UserId;
use crate::model::message::EmailMessage;
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::ports::mailer::{Envelope, Mailer, SendError};
use crate::testing::fakes::outbox::{Outbox, Sent};

/// E-mails as they went out.
pub type MailOutbox = Outbox<EmailMessage>;

impl Sent<EmailMessage> {
    /// The right its link carries.
    #[must_use]
    pub const fn link_token(&self) -> Option<&OpaqueToken> {
        match &self.message {
            EmailMessage::VerifyEmail { token, .. }
            | EmailMessage::ResetPassword { token, .. }
            | EmailMessage::ConfirmEmailChange { token, .. } => Some(token),
            _ => None,
        }
    }

    /// The code it shows.
    #[must_use]
    pub const fn code(&self) -> Option<&TypedCode> {
        match &self.message {
            EmailMessage::VerifyEmail { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl MailOutbox {
    /// The right in the newest link of a template.
    #[must_use]
    pub fn link_token(&self, template: &str) -> Option<OpaqueToken> {
        let of_template = |sent: &&Sent<EmailMessage>| sent.message.template() == template;
        self.sent().iter().rev().find(of_template)?.link_token().cloned()
    }

    /// The newest code.
    #[must_use]
    pub fn code(&self) -> Option<TypedCode> {
        self.sent().iter().rev().find_map(|sent| sent.code().cloned())
    }

    /// The templates of everything sent, oldest first.
    #[must_use]
    pub fn templates(&self) -> Vec<&'static str> {
        self.sent().iter().map(|sent| sent.message.template()).collect()
    }
}

#[async_trait]
impl Mailer for MailOutbox {
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError> {
        self.put(envelope, to.as_str(), message.clone())
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.drop_about(realm, subject);
    }

    async fn healthy(&self) -> Option<bool> {
        self.health()
    }
}
