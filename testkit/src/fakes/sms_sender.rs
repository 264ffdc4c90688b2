//! Texts and calls into an outbox.

use async_trait::async_trait;

use crate::fakes::outbox::Outbox;
use crate::faults::FaultPlan;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::{Channel, SmsMessage};
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, SendError};
use portcullis_core::ports::sms_sender::SmsSender;

/// An SMS or call as it was sent.
#[derive(Debug, Clone)]
pub struct Text {
    /// By text or by call.
    pub channel: Channel,
    /// The content.
    pub content: SmsMessage,
}

/// Texts and calls as they went out.
pub type SmsOutbox = Outbox<Text>;

impl SmsOutbox {
    /// An empty one that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self::under("sms_sender", plan)
    }

    /// The newest code.
    #[must_use]
    pub fn code(&self) -> Option<TypedCode> {
        Some(self.last()?.message.content.code)
    }
}

impl Default for SmsOutbox {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl SmsSender for SmsOutbox {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError> {
        self.put(envelope, to.as_str(), Text { channel, content: message.clone() })
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.drop_about(realm, subject);
    }

    async fn health(&self) -> Option<Result<(), String>> {
        self.health()
    }
}
