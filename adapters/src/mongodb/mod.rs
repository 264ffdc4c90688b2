//! The ports on MongoDB, a replica set of at least one node: a unit of work is one transaction. A file for each port, all
//! of them on [`MongoDb`].
//!
//! Sharding, for large deployments (`_id` begins with the realm and ends with random digits, so it spreads):
//!
//! | collection | shard key | found by anything else |
//! |---|---|---|
//! | `users` | `{realm, email_index}`, unique; it can't be an array, so that the ring of index keys has one key | by id: an indexed look on every shard |
//! | `registrations`, `login_counts`, `buckets` | `{_id: "hashed"}` | registrations by id: an index |
//! | `sessions` | `{_id: "hashed"}` | by user, when a list is asked for: an index |
//! | `one_time_tokens` | `{_id: "hashed"}` | by digest: an index |
//! | `credentials`, `webhooks` | `{_id: "hashed"}` | by realm: index |
//! | `undo_records` | `{_id: "hashed"}` | by account, by digest, by reserved address: indexes |
//! | `jobs`, `audit`, `outbox` | `{_id: "hashed"}` | by whom it is about: an index |

mod audit_chain_store;
mod audit_log;
mod check_value_store;
mod compare_and_swap;
mod connect;
mod connect_error;
mod credential_store;
mod data_migration_store;
mod database;
mod document_mapping;
mod documents;
mod event_recorder;
mod failure;
mod indexes;
mod job_queue;
mod key_rotation_store;
mod keyed_mutex;
mod login_guard;
mod one_time_token_store;
mod pool;
mod rate_limiter;
mod registration_changes;
mod registration_store;
mod sent_message_store;
pub(crate) mod session_store;
mod signing;
mod undo_store;
pub(crate) mod user_store;
mod webhook_store;

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mongodb::Collection;
use mongodb::bson::Document;
use mongodb::error::Error;
use portcullis_core::ports::error::PortError;
use tokio::sync::Notify;

pub use connect::MongoDbSettings;
pub use connect_error::ConnectError;

use crate::crypto::record_macs::{Authenticated, RecordMacs, Stored};
use crate::mongodb::event_recorder::EventRecorder;
use crate::mongodb::failure::Failure;
use crate::mongodb::keyed_mutex::KeyedMutex;
use crate::mongodb::pool::Pool;

/// The version of the documents' shapes. A database of a later one is left alone.
const SCHEMA_VERSION: u32 = 2;

/// The store. Everything it answered with success is on the disks of a majority.
pub struct MongoDb {
    pool: Arc<Pool>,
    recorder: EventRecorder,
    document_locks: KeyedMutex,
    macs: Arc<RecordMacs>,
    enqueued: Notify,
    lost_events: Arc<AtomicU64>,
}

impl MongoDb {
    /// The version of the documents' shapes.
    #[must_use]
    pub const fn schema_version(&self) -> u32 {
        SCHEMA_VERSION
    }

    /// How many events the audit log could not take since the start.
    #[must_use]
    pub fn lost_events(&self) -> Arc<AtomicU64> {
        self.lost_events.clone()
    }

    /// The names of the collections there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn collections(&self) -> Result<Vec<String>, PortError> {
        Ok(self.run("checks", self.pool.database().list_collection_names()).await?)
    }

    /// Removes everything. For tests that had a database of their own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_database(&self) -> Result<(), PortError> {
        Ok(self.run("checks", self.pool.database().drop()).await?)
    }

    async fn run<T, F>(&self, port: &'static str, operation: F) -> Result<T, Failure>
    where
        F: IntoFuture<Output = Result<T, Error>>,
    {
        self.pool.run_with_deadline(port, operation).await
    }

    fn sign<R: Authenticated>(&self, record: &R, document: Document) -> Document {
        documents::signed_document(&self.macs, record, document)
    }

    fn verify<R: Authenticated>(&self, port: &'static str, stored: Stored<R>) -> Result<R, PortError> {
        stored.verified(&self.macs).map_err(|refused| PortError::new(port, refused))
    }

    /// The same for a record that was looked up by its name: a hostile server can answer with another one.
    fn verify_named<R: Authenticated>(
        &self,
        port: &'static str,
        stored: Option<Stored<R>>,
        is_asked_for: impl FnOnce(&R) -> bool,
    ) -> Result<Option<R>, PortError> {
        let Some(stored) = stored else { return Ok(None) };
        let verified = self.verify(port, stored)?;
        self.macs.expect(verified, is_asked_for).map(Some).map_err(|refused| PortError::new(port, refused))
    }

    /// Those of many that verify.
    fn verify_all<R: Authenticated>(&self, stored: impl IntoIterator<Item = Stored<R>>) -> Vec<R> {
        stored.into_iter().filter_map(|one| one.verified(&self.macs).ok()).collect()
    }

    fn collection(&self, name: &str) -> Collection<Document> {
        self.pool.database().collection(name)
    }
}
