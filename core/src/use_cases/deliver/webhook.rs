//! Messages to webhooks. Uses: webhooks, the webhook sender, cipher, database, clock.

use crate::model::ids::WebhookId;
use crate::model::job::Job;
use crate::model::webhook::WebhookEvent;
use crate::ports::webhook_sender::{WebhookAnswer, WebhookMessage};
use crate::use_cases::deliver::{Deliveries, Failure};

impl Deliveries<'_> {
    /// Sends an event, signed by each secret that is in use. A receiver that answers 410 gets nothing any more.
    pub(super) async fn deliver_to_webhook(
        self,
        job: &Job,
        id: &WebhookId,
        event: &WebhookEvent,
    ) -> Result<(), Failure> {
        let service = self.service;
        let found = service.ports.webhooks.find(&job.realm, id).await?;
        let Some(webhook) = found.filter(|webhook| !webhook.disabled) else { return Ok(()) };
        let message = WebhookMessage {
            id: job.id,
            webhook: *id,
            url: webhook.url.clone(),
            realm: job.realm.clone(),
            event: *event,
            secrets: service.webhook_secrets(&webhook)?,
        };
        match service.ports.webhook_sender.send(&message).await? {
            WebhookAnswer::Accepted => Ok(()),
            WebhookAnswer::Gone => Ok(service.disable_webhook(webhook).await?),
        }
    }
}
