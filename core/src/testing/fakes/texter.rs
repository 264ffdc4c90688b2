//! Texts and calls into an outbox.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::message::{Channel, TextMessage};
use crate::model::otp::TypedCode;
use crate::model::phone::Phone;
use crate::model::realm::Realm;
use crate::ports::mailer::{Envelope, SendError};
use crate::ports::texter::Texter;
use crate::testing::fakes::outbox::Outbox;
use crate::testing::faults::FaultPlan;

/// A text or call as it went out.
#[derive(Debug, Clone)]
pub struct Text {
    /// By text or by call.
    pub channel: Channel,
    /// What it says.
    pub content: TextMessage,
}

/// Texts and calls as they went out.
pub type TextOutbox = Outbox<Text>;

impl TextOutbox {
    /// An empty one that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self::under("texter", plan)
    }

    /// The newest code.
    #[must_use]
    pub fn code(&self) -> Option<TypedCode> {
        Some(self.last()?.message.content.code)
    }
}

impl Default for TextOutbox {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl Texter for TextOutbox {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &TextMessage,
    ) -> Result<(), SendError> {
        self.put(envelope, to.as_str(), Text { channel, content: message.clone() })
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.drop_about(realm, subject);
    }

    async fn healthy(&self) -> Option<bool> {
        self.health()
    }
}
