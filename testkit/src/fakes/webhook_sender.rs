//! Messages to webhooks, in memory instead of on a network.

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::ports::mailer::SendError;
use portcullis_core::ports::webhook_sender::{WebhookAnswer, WebhookMessage, WebhookSender};

#[derive(Debug, Default)]
struct Inside {
    sent: Vec<WebhookMessage>,
    gone: bool,
}

/// Keeps the messages that were sent.
#[derive(Debug)]
pub struct WebhookOutbox {
    inside: Locked<Inside>,
    faults: Faults,
}

impl WebhookOutbox {
    /// An empty one that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { inside: Locked::default(), faults: Faults::new("webhook_sender", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<WebhookMessage> {
        self.inside.lock().sent.clone()
    }

    /// Every receiver answers 410 from now on.
    pub fn answer_gone(&self) {
        self.inside.lock().gone = true;
    }
}

#[async_trait]
impl WebhookSender for WebhookOutbox {
    fn check_url(&self, url: &str) -> Result<(), String> {
        if url.starts_with("https://") { Ok(()) } else { Err("must begin with https://".to_owned()) }
    }

    async fn send(&self, message: &WebhookMessage) -> Result<WebhookAnswer, SendError> {
        let sent = self.faults.call("send", || {
            let mut inside = self.inside.lock();
            if inside.gone {
                return WebhookAnswer::Gone;
            }
            inside.sent.push(message.clone());
            WebhookAnswer::Accepted
        });
        sent.map_err(|error| SendError::Later(error.to_string()))
    }
}
