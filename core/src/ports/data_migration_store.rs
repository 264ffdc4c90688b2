//! Every durable record of a store, for a migration to another one.

use async_trait::async_trait;

use crate::model::stored_record::{Collection, Record, RecordPage};
use crate::ports::check_value_store::CheckValueStore;
use crate::ports::error::PortError;

/// Name of the check value in which a migration's target stores the progress. While it exists, no server starts on that
/// database.
pub const PROGRESS_KEY: &str = "move";

/// A store that a migration reads or fills. No server uses it meanwhile. The progress is no record of any collection.
#[async_trait]
pub trait MigratableStore: CheckValueStore {
    /// At most `limit` records of a collection: those after a cursor that an earlier page returned. `Ok(None)` at the end.
    /// A cursor of another store is an error.
    async fn next_page(
        &self,
        of: Collection,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError>;

    /// Stores records, replacing those with the same key, and then the progress. The progress is never ahead of the
    /// records; after an error the same call may be repeated.
    async fn put_all(&self, records: Vec<Record>, progress: &[u8]) -> Result<(), PortError>;

    /// How many records a collection has.
    async fn count(&self, of: Collection) -> Result<u64, PortError>;

    /// Removes every record of a collection.
    async fn clear(&self, of: Collection) -> Result<(), PortError>;

    /// Removes the progress.
    async fn remove_progress(&self) -> Result<(), PortError>;
}
