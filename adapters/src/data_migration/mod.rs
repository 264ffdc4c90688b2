//! Moving between stores: every durable record as it is, sealed. A store that can be moved from and to is
//! [`MigratableStore`]; [`migration`] copies in batches, goes on where a killed copy stopped, and proves the result.

mod canonical_hash;
pub mod migration;
mod migration_records;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use portcullis_core::ports::error::PortError;

pub use canonical_hash::Tally;
pub(crate) use migration_records::order_of;
pub use migration_records::{
    Collection, Count, LoginCounts, Record, StoredBucket, StoredCopy, StoredEvent, StoredJob, Waiting,
};

/// Records read and written at once: what a move holds in memory.
pub const AT_ONCE: usize = 500;
/// The name among the check values of the note that a move keeps in its target. While it is there, no server starts on
/// that database.
pub const NOTE: &str = "move";

/// Records in the store's own order, and the place behind the last of them.
pub struct Page {
    /// At most [`AT_ONCE`], unless one of them stands for more rows.
    pub records: Vec<Record>,
    /// Where to go on, in the store's own words; `None` where it can only be begun anew.
    pub behind: Option<String>,
}

/// Pages until the end of a collection.
pub type Pages<'a> = BoxStream<'a, Result<Page, PortError>>;

/// A store that a move reads or fills. Nobody else uses it meanwhile.
#[async_trait]
pub trait MigratableStore: Send + Sync {
    /// The records of a collection behind a place, all of them for `None`.
    fn pages(&self, of: Collection, behind: Option<&str>) -> Pages<'_>;

    /// Keeps records, in the place of those with the same key, then the note: a note never tells of what is not there.
    async fn put_all(&self, records: Vec<Record>, note: &[u8]) -> Result<(), PortError>;

    /// How many records a collection has.
    async fn count(&self, of: Collection) -> Result<u64, PortError>;

    /// Removes every record of a collection.
    async fn clear(&self, of: Collection) -> Result<(), PortError>;

    /// A check value, or the note.
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError>;

    /// Removes the note.
    async fn remove_note(&self) -> Result<(), PortError>;
}
