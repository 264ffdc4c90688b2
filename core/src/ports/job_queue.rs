//! Work that waits outside a request, at least once each.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::ids::JobId;
use crate::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use crate::model::realm::Realm;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// How many jobs are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Waiting or being worked on.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// A durable queue. A claimed job is invisible until its lease ends, then it comes again: a worker's death loses
/// nothing.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Takes the oldest job that is due, for `lease`; its `attempts` counts this one. Of many racing claims, one
    /// gets it.
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Job>, PortError>;

    /// Done: forgets it.
    async fn complete(&self, id: &JobId) -> Result<(), PortError>;

    /// Failed for now: due again at `at`.
    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError>;

    /// Makes a job that failed permanently a dead letter.
    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError>;

    /// The dead letters of a realm or of all, newest first, `limit` at most.
    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError>;

    /// The dead letter of an id.
    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError>;

    /// The jobs about a subject of a realm that wait or are dead letters, newest first: those that were made before the
    /// time and id of `before`, `limit` at most.
    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError>;

    /// How many jobs are where.
    async fn depth(&self) -> Result<QueueDepth, PortError>;

    /// Waits until a job was enqueued here since the last wait, or for `at_most`. May return early.
    async fn wait(&self, at_most: Duration);
}
