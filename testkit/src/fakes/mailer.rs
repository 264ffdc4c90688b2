//! E-mails into an outbox.

use async_trait::async_trait;

use crate::fakes::outbox::{Outbox, Sent};
use crate::faults::FaultPlan;
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};

/// E-mails as they went out.
pub type MailOutbox = Outbox<EmailMessage>;

impl Sent<EmailMessage> {
    /// The right its link carries.
    #[must_use]
    pub const fn link_token(&self) -> Option<&OpaqueToken> {
        match &self.message {
            EmailMessage::VerifyEmail { token, .. }
            | EmailMessage::ResetPassword { token, .. }
            | EmailMessage::ResetRequired { token, .. }
            | EmailMessage::Invitation { token, .. }
            | EmailMessage::ConfirmEmailChange { token, .. } => Some(token),
            message => match message.undo_link() {
                Some(link) => Some(&link.token),
                None => None,
            },
        }
    }

    /// The code it shows.
    #[must_use]
    pub const fn code(&self) -> Option<&TypedCode> {
        match &self.message {
            EmailMessage::VerifyEmail { code, .. } | EmailMessage::EnrolmentCode { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl MailOutbox {
    /// An empty one that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self::under("mailer", plan)
    }

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

impl Default for MailOutbox {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
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

    async fn health(&self) -> Option<Result<(), String>> {
        self.health()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contract::mailer::every_message;
    use crate::fakes::outbox::Refusal;
    use crate::faults::{Script, When};
    use crate::race::block_on;
    use crate::samples::{email, job_id, phone, realm, user_id};
    use crate::world::TestWorld;
    use portcullis_core::model::locale::Locale;
    use portcullis_core::model::message::{Channel, SmsMessage};
    use portcullis_core::ports::sms_sender::SmsSender as _;

    fn send(outbox: &MailOutbox, message: &EmailMessage) -> Result<(), SendError> {
        let envelope =
            Envelope { realm: realm("User1"), subject: user_id(1), job: job_id(1), part: 0, locale: Locale::default() };
        block_on(outbox.send(&envelope, &email("ada@example.com"), message))
    }

    #[test]
    fn sent_messages_links_and_codes_can_be_read() {
        let outbox = MailOutbox::default();
        for message in every_message("Ada") {
            send(&outbox, &message).unwrap();
        }
        assert_eq!(outbox.sent_to("ada@example.com").len(), every_message("Ada").len());
        assert!(outbox.link_token("mail_password_reset").is_some() && outbox.code().is_some());
        assert_ne!(outbox.link_token("mail_password_reset"), outbox.link_token("mail_email_verify"));
        assert_eq!(outbox.link_token("registration"), None);
        assert_eq!(outbox.templates().len(), outbox.take().len());
        assert!(outbox.last_to("ada@example.com").is_none());
    }

    #[test]
    fn refusals_come_in_their_order() {
        let outbox = MailOutbox::default();
        outbox.refuse_next(1, Refusal::Later);
        outbox.refuse_next(1, Refusal::Never);
        outbox.refuse_next(1, Refusal::LostReply);
        let message = &every_message("Ada")[0];
        assert!(matches!(send(&outbox, message), Err(SendError::Later(_))));
        assert!(matches!(send(&outbox, message), Err(SendError::Never(_))));
        assert!(outbox.sent().is_empty());
        assert!(matches!(send(&outbox, message), Err(SendError::Later(_))));
        assert_eq!((outbox.sent().len(), outbox.tries()), (1, 3));
        assert!(send(&outbox, message).is_ok());
    }

    #[test]
    fn it_breaks_as_the_plan_of_its_world_says() {
        let world = TestWorld::new(1);
        let message = &every_message("Ada")[0];
        world.faults.play(Script::next().port("mailer").breaks(When::After));
        world.faults.play(Script::next().port("sms_sender").method("send"));
        assert!(matches!(send(&world.mailer, message), Err(SendError::Later(_))));
        assert_eq!(world.mailer.sent().len(), 1, "sent, and the answer lost");
        assert!(send(&world.mailer, message).is_ok());
        let envelope =
            Envelope { realm: realm("User1"), subject: user_id(1), job: job_id(1), part: 0, locale: Locale::default() };
        let text = SmsMessage {
            for_login: false,
            code: TypedCode::parse_digits("123456").unwrap(),
            expires_in: Duration::from_secs(300),
        };
        let to = phone("+12025550100", "US");
        assert!(block_on(world.sms_sender.send(&envelope, &to, Channel::Sms, &text)).is_err());
        assert!(world.sms_sender.sent().is_empty());
    }

    #[test]
    fn a_subject_is_forgotten_in_its_realm() {
        let outbox = MailOutbox::default();
        send(&outbox, &every_message("Ada")[0]).unwrap();
        block_on(outbox.forget(&realm("User2"), &user_id(1)));
        assert_eq!(outbox.sent().len(), 1);
        block_on(outbox.forget(&realm("User1"), &user_id(1)));
        assert!(outbox.last().is_none());
    }
}
