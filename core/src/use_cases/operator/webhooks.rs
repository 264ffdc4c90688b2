//! An operator makes, changes and ends webhooks. A secret is shown once, when it is made. Uses: webhooks, the webhook sender,
//! cipher, jobs, database, clock, randomness.

use crate::model::code::{Code, Violation};
use crate::model::event::EventKind;
use crate::model::ids::{JobId, WebhookId};
use crate::model::job::{Job, JobSubject, QueuedJob, Task};
use crate::model::realm::Realm;
use crate::model::sealed::{AadContext, DataKey, Field};
use crate::model::secret::SecretString;
use crate::model::time::Timestamp;
use crate::model::webhook::{
    EventKinds, MAX_URL, MAX_WEBHOOKS, OLD_SECRET_SIGNS, OldSecret, Webhook, WebhookEvent, print_secret,
};
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::{AuthService, Ports};
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;

/// Dead letters that are queued again at once.
const REPLAYED_AT_ONCE: u32 = 100;

/// A webhook and its new secret, for the operator.
#[derive(Debug)]
pub struct IssuedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The text of the secret.
    pub secret: SecretString,
}

/// The parts of a webhook that an operator changes; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct WebhookEdit {
    /// Its address.
    pub url: Option<String>,
    /// The events that it gets.
    pub kinds: Option<EventKinds>,
    /// Whether nothing is sent to it.
    pub disabled: Option<bool>,
}

impl Operators<'_> {
    /// Makes a webhook.
    ///
    /// # Errors
    /// `Invalid` for a URL that can't be one, and where the realm has as many as it may have; when a port fails.
    pub async fn create_webhook(self, realm: &Realm, url: &str, kinds: EventKinds) -> Result<IssuedWebhook, AuthError> {
        let Ports { webhooks, cipher, clock, randomness, .. } = &self.service.ports;
        self.check_url(url)?;
        if webhooks.list(realm).await?.len() >= MAX_WEBHOOKS {
            return Err(refused(format!("the realm has {MAX_WEBHOOKS} webhooks, which is the limit")));
        }
        let id = WebhookId::random(|bytes| randomness.fill(bytes));
        let (key, secret) = cipher.new_key(place(realm, &id, Field::Key))?;
        let (realm, now) = (realm.clone(), clock.now());
        let webhook = Webhook {
            realm,
            id,
            secret,
            old_secret: None,
            url: url.to_owned(),
            kinds,
            disabled: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let work = self.webhook_work(&webhook, EventKind::WebhookCreated, |one| Change::InsertWebhook(Box::new(one)));
        self.service.commit(work).await?;
        Ok(IssuedWebhook { webhook, secret: print_secret(&key) })
    }

    /// The webhooks of a realm, by id.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_webhooks(self, realm: &Realm) -> Result<Vec<Webhook>, AuthError> {
        Ok(self.service.ports.webhooks.list(realm).await?)
    }

    /// A webhook.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn find_webhook(self, realm: &Realm, id: &WebhookId) -> Result<Webhook, AuthError> {
        self.service.ports.webhooks.find(realm, id).await?.ok_or(AuthError::NotFound)
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Invalid` for a URL that can't be one; when a port fails.
    pub async fn change_webhook(self, realm: &Realm, id: &WebhookId, edit: &WebhookEdit) -> Result<Webhook, AuthError> {
        if let Some(url) = &edit.url {
            self.check_url(url)?;
        }
        let change = |mut webhook: Webhook| {
            webhook.url = edit.url.clone().unwrap_or(webhook.url);
            webhook.kinds = edit.kinds.clone().unwrap_or(webhook.kinds);
            webhook.disabled = edit.disabled.unwrap_or(webhook.disabled);
            Ok(webhook)
        };
        self.replace_webhook(realm, id, (EventKind::WebhookChanged, false), change).await
    }

    /// Gives a webhook a new secret. The old one signs too for a day.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`; when a port fails.
    pub async fn rotate_webhook(self, realm: &Realm, id: &WebhookId) -> Result<IssuedWebhook, AuthError> {
        let Ports { cipher, clock, .. } = &self.service.ports;
        let (key, secret) = cipher.new_key(place(realm, id, Field::Key))?;
        let change = |webhook: Webhook| {
            let old = cipher.unwrap(&webhook.secret, place(realm, id, Field::Key))?;
            let sealed = cipher.seal(&key, place(realm, id, Field::OldSecret), old.as_bytes())?;
            let old_secret = Some(OldSecret { secret: sealed, until: clock.now() + OLD_SECRET_SIGNS });
            Ok(Webhook { secret: secret.clone(), old_secret, ..webhook })
        };
        let webhook = self.replace_webhook(realm, id, (EventKind::WebhookRotated, true), change).await?;
        Ok(IssuedWebhook { webhook, secret: print_secret(&key) })
    }

    /// Deletes a webhook with its messages.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn delete_webhook(self, realm: &Realm, id: &WebhookId) -> Result<(), AuthError> {
        let webhook = self.expected_webhook(realm, id).await?;
        let remove = |one: Webhook| Change::RemoveWebhook { realm: one.realm, id: one.id };
        let mut work = self.webhook_work(&webhook, EventKind::WebhookDeleted, remove);
        work.changes.push(Change::ForgetJobs { realm: realm.clone(), subject: JobSubject::Webhook(*id) });
        self.service.commit(work).await.map(|_| ())
    }

    /// Orders a test message to a webhook. Returns the id of the message.
    ///
    /// # Errors
    /// `NotFound`, also for one that is disabled; when a port fails.
    pub async fn test_webhook(self, realm: &Realm, id: &WebhookId) -> Result<JobId, AuthError> {
        let webhook = self.find_webhook(realm, id).await?;
        if webhook.disabled {
            return Err(AuthError::NotFound);
        }
        let kind = EventKind::WebhookTested;
        let event = WebhookEvent { kind, at: self.service.ports.clock.now(), user: None, session: None };
        let job = self.service.job(realm, Task::NotifyWebhook { webhook: *id, event });
        let message = job.id;
        let events = vec![self.event(realm, kind, None)];
        self.service.commit(UnitOfWork { jobs: vec![job], events, ..UnitOfWork::default() }).await?;
        Ok(message)
    }

    /// The messages to a webhook that are not delivered: those that wait and those that failed, the newest first.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn list_deliveries(
        self,
        realm: &Realm,
        id: &WebhookId,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, AuthError> {
        let webhook = self.find_webhook(realm, id).await?;
        let subject = JobSubject::Webhook(webhook.id);
        Ok(self.service.ports.jobs.list_about(realm, &subject, before, limit).await?)
    }

    /// Sends failed messages to a webhook again: one, or all of them. Returns how many.
    ///
    /// # Errors
    /// `NotFound` for a webhook or message that is none; when a port fails.
    pub async fn replay_webhook(self, realm: &Realm, id: &WebhookId, message: Option<JobId>) -> Result<u64, AuthError> {
        if let Some(message) = message {
            let found = self.service.ports.jobs.find_dead_letter(&message).await?.map(|letter| letter.job);
            let is_of_it = |job: &Job| job.realm == *realm && job.task.about() == JobSubject::Webhook(*id);
            let job = found.filter(is_of_it).ok_or(AuthError::NotFound)?;
            return Ok(u64::from(self.requeue_message(&job).await?));
        }
        let (mut before, mut replayed) = (None, 0);
        loop {
            let page = self.list_deliveries(realm, id, before, REPLAYED_AT_ONCE).await?;
            for queued in page.iter().filter(|queued| queued.dead.is_some()) {
                replayed += u64::from(self.requeue_message(&queued.job).await?);
            }
            match page.last() {
                Some(last) => before = Some((last.job.created_at, last.job.id)),
                None => return Ok(replayed),
            }
        }
    }

    /// Whether the job still was a dead letter.
    async fn requeue_message(self, job: &Job) -> Result<bool, AuthError> {
        let Ports { database, clock, .. } = &self.service.ports;
        let requeue = Change::RequeueJob { realm: job.realm.clone(), id: job.id, now: clock.now() };
        let events = vec![self.event(&job.realm, EventKind::MessageRequeued, None)];
        match database.commit(UnitOfWork { events, ..UnitOfWork::of(requeue) }).await? {
            Ok(_) => Ok(true),
            Err(Refusal::JobGone) => Ok(false),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn check_url(self, url: &str) -> Result<(), AuthError> {
        if url.len() > MAX_URL {
            return Err(refused(format!("must be at most {MAX_URL} bytes")));
        }
        self.service.ports.webhook_sender.check_url(url).map_err(refused)
    }

    /// The webhook, if it has the version that the operator expects.
    async fn expected_webhook(self, realm: &Realm, id: &WebhookId) -> Result<Webhook, AuthError> {
        let webhook = self.find_webhook(realm, id).await?;
        let is_expected = self.expected.is_none_or(|expected| expected == webhook.version);
        if is_expected { Ok(webhook) } else { Err(AuthError::PreconditionFailed) }
    }

    /// Stores the newest version of a webhook with a change; a lost race is repeated.
    async fn replace_webhook(
        self,
        realm: &Realm,
        id: &WebhookId,
        (kind, new_secret): (EventKind, bool),
        change: impl Fn(Webhook) -> Result<Webhook, PortError>,
    ) -> Result<Webhook, AuthError> {
        let Ports { database, clock, .. } = &self.service.ports;
        loop {
            let old = self.expected_webhook(realm, id).await?;
            let expected = old.version;
            let webhook = Webhook { version: expected + 1, updated_at: clock.now(), ..change(old)? };
            let replace = |one| Change::ReplaceWebhook { webhook: Box::new(one), expected, new_secret };
            match database.commit(self.webhook_work(&webhook, kind, replace)).await? {
                Ok(_) => return Ok(webhook),
                Err(Refusal::WebhookStale) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    fn webhook_work(self, webhook: &Webhook, kind: EventKind, change: impl FnOnce(Webhook) -> Change) -> UnitOfWork {
        let events = vec![self.event(&webhook.realm, kind, None)];
        UnitOfWork { events, ..UnitOfWork::of(change(webhook.clone())) }
    }
}

impl AuthService {
    /// The secrets that sign messages to a webhook now, the newest first.
    pub(crate) fn webhook_secrets(&self, webhook: &Webhook) -> Result<Vec<DataKey>, PortError> {
        let Ports { cipher, clock, .. } = &self.ports;
        let Webhook { realm, id, .. } = webhook;
        let newest = cipher.unwrap(&webhook.secret, place(realm, id, Field::Key))?;
        let mut secrets = vec![newest.clone()];
        if let Some(old) = webhook.old_secret.as_ref().filter(|old| clock.now() < old.until) {
            let opened = cipher.open(&newest, place(realm, id, Field::OldSecret), &old.secret)?;
            let bytes = opened.as_slice().try_into();
            secrets.push(DataKey::from_bytes(bytes.map_err(|_| PortError::new("field_cipher", "not a secret"))?));
        }
        Ok(secrets)
    }

    /// Sends nothing to a webhook any more. One that has changed meanwhile stays as it is.
    pub(crate) async fn disable_webhook(&self, webhook: Webhook) -> Result<(), AuthError> {
        let expected = webhook.version;
        let events = vec![self.event(&webhook.realm, EventKind::WebhookDisabled, None, None)];
        let webhook = Webhook { disabled: true, version: expected + 1, updated_at: self.ports.clock.now(), ..webhook };
        let change = Change::ReplaceWebhook { webhook: Box::new(webhook), expected, new_secret: false };
        match self.ports.database.commit(UnitOfWork { events, ..UnitOfWork::of(change) }).await? {
            Ok(_) | Err(Refusal::WebhookStale | Refusal::WebhookGone) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

fn refused(message: String) -> AuthError {
    AuthError::Invalid(vec![Violation::with_message("url", Code::ValueInvalid, message)])
}

const fn place<'a>(realm: &'a Realm, id: &'a WebhookId, field: Field) -> AadContext<'a> {
    AadContext { realm, record: id.as_bytes(), field }
}
