//! A [`JobQueue`] whose news reaches every instance: the jobs stay in their store, Redis only wakes who waits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};

use crate::redis::Redis;

/// A queue with a bell.
pub struct SharedQueue {
    redis: Arc<Redis>,
    store: Arc<dyn JobQueue>,
}

impl SharedQueue {
    /// The jobs of `store`, announced through Redis.
    #[must_use]
    pub fn new(redis: Arc<Redis>, store: Arc<dyn JobQueue>) -> Self {
        Self { redis, store }
    }
}

#[async_trait]
impl JobQueue for SharedQueue {
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Job>, PortError> {
        self.store.claim(now, lease).await
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        self.store.complete(id).await
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        self.store.retry_at(id, at).await
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        self.store.dead_letter(id, reason, now).await
    }

    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        self.store.list_dead_letters(realm, limit).await
    }

    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError> {
        self.store.find_dead_letter(id).await
    }

    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError> {
        self.store.list_about(realm, subject, before, limit).await
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        self.store.depth().await
    }

    async fn wait(&self, at_most: Duration) {
        tokio::select! {
            () = self.store.wait(at_most) => {}
            () = self.redis.woken.notified() => {}
        }
    }
}
