//! Counts and traces the messages that a sender takes, by channel and outcome.

use std::sync::Arc;

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusRecorder;
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::{Channel, EmailMessage, SmsMessage};
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};
use portcullis_core::ports::sms_sender::SmsSender;
use portcullis_core::ports::webhook_sender::{WebhookAnswer, WebhookMessage, WebhookSender};
use tracing::Instrument as _;

use crate::http::metric_names::MESSAGES;
use crate::traces::message_span;

/// A sender whose attempts are counted.
pub struct Counted<S: ?Sized> {
    sender: Arc<S>,
    recorder: Arc<PrometheusRecorder>,
}

impl<S: ?Sized> Counted<S> {
    /// Counts the attempts of a sender.
    pub fn new(sender: Arc<S>, recorder: &Arc<PrometheusRecorder>) -> Arc<Self> {
        Arc::new(Self { sender, recorder: recorder.clone() })
    }

    fn count<T>(&self, channel: &'static str, sent: &Result<T, SendError>) {
        let outcome = match sent {
            Ok(_) => "sent",
            Err(SendError::Later(_) | SendError::After(..)) => "later",
            Err(SendError::Never(_)) => "refused",
        };
        metrics::with_local_recorder(&*self.recorder, || {
            metrics::counter!(MESSAGES, "channel" => channel, "outcome" => outcome).increment(1);
        });
    }
}

#[async_trait]
impl Mailer for Counted<dyn Mailer> {
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError> {
        let sent = self.sender.send(envelope, to, message).instrument(message_span("email")).await;
        self.count("email", &sent);
        sent
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.sender.forget(realm, subject).await;
    }

    async fn health(&self) -> Option<Result<(), String>> {
        self.sender.health().await
    }
}

#[async_trait]
impl WebhookSender for Counted<dyn WebhookSender> {
    fn check_url(&self, url: &str) -> Result<(), String> {
        self.sender.check_url(url)
    }

    async fn send(&self, message: &WebhookMessage) -> Result<WebhookAnswer, SendError> {
        let sent = self.sender.send(message).instrument(message_span("webhook")).await;
        self.count("webhook", &sent);
        sent
    }
}

#[async_trait]
impl SmsSender for Counted<dyn SmsSender> {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError> {
        let sent = self.sender.send(envelope, to, channel, message).instrument(message_span(channel.as_str())).await;
        self.count(channel.as_str(), &sent);
        sent
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.sender.forget(realm, subject).await;
    }

    async fn health(&self) -> Option<Result<(), String>> {
        self.sender.health().await
    }
}
