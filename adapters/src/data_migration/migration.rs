//! A migration: copies batches of records from one store to another, stores its progress in the target, and at the end
//! reads both stores again and compares them.

use std::time::Duration;

use portcullis_core::model::stored_record::{Collection, RecordPage};
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::data_migration_store::{MigratableStore, PROGRESS_KEY};
use portcullis_core::ports::error::PortError;
use serde::{Deserialize, Serialize};

use crate::data_migration::canonical_hash::CollectionHash;
use crate::data_migration::error::{Comparison, MigrationError, Side};

const PORT: &str = "data_migration_store";
/// Records that are read and written at once.
const BATCH_SIZE: usize = 500;
/// How long a store may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A step of a migration, for progress reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It resumes in this collection, where an earlier call stopped.
    Resumed(Collection),
    /// Records are copied.
    Copied {
        /// The collection.
        of: Collection,
        /// How many records the target has.
        done: u64,
        /// How many the source has.
        all: u64,
    },
    /// Records are read for the comparison.
    Read {
        /// The collection.
        of: Collection,
        /// The number of records read so far.
        done: u64,
        /// The number of all records.
        all: u64,
    },
}

/// How far a migration came, as the target stores it.
#[derive(Serialize, Deserialize)]
struct Progress {
    from: String,
    collection: String,
    /// The cursor of the source.
    behind: Option<String>,
}

/// A migration.
pub struct Migration<'a> {
    /// The source.
    pub from: &'a dyn MigratableStore,
    /// The target.
    pub to: &'a dyn MigratableStore,
    /// The name of the source, without a password.
    pub source_name: &'a str,
    /// Called at every step.
    pub on_step: &'a (dyn Fn(Step) + Send + Sync),
}

/// The progress of an unfinished migration into a store, if there is one. One of a later version cannot be read.
async fn progress(store: &dyn CheckValueStore) -> Result<Option<Progress>, PortError> {
    let stored = store.check_value(PROGRESS_KEY).await?;
    let unknown = || Progress { from: "somewhere".to_owned(), collection: String::new(), behind: None };
    Ok(stored.map(|stored| serde_json::from_slice(&stored).unwrap_or_else(|_| unknown())))
}

/// The source of an unfinished migration into a store, if there is one.
///
/// # Errors
/// When the store fails.
pub async fn unfinished_source(store: &dyn CheckValueStore) -> Result<Option<String>, PortError> {
    Ok(progress(store).await?.map(|progress| progress.from))
}

/// How many records each collection of a source has.
///
/// # Errors
/// When the source fails, or is the target of an unfinished migration.
pub async fn count_records(from: &dyn MigratableStore) -> Result<Vec<(Collection, u64)>, MigrationError> {
    let failed = Side::Source.failed();
    if let Some(progress) = progress(from).await.map_err(&failed)? {
        return Err(MigrationError::SourceUnfinished { from: progress.from });
    }
    let mut counts = Vec::new();
    for collection in Collection::ALL {
        counts.push((collection, from.count(collection).await.map_err(&failed)?));
    }
    Ok(counts)
}

impl Migration<'_> {
    /// Checks that the target may be filled: it is empty, or half filled from the same source. Whether it is half filled.
    ///
    /// # Errors
    /// When it may not be filled.
    pub async fn check_target(&self) -> Result<bool, MigrationError> {
        Ok(self.target_progress().await?.is_some())
    }

    async fn target_progress(&self) -> Result<Option<Progress>, MigrationError> {
        let failed = Side::Target.failed();
        if let Some(progress) = progress(self.to).await.map_err(&failed)? {
            return match progress {
                progress if progress.from == self.source_name => Ok(Some(progress)),
                Progress { from, .. } => Err(MigrationError::OtherSource { from }),
            };
        }
        for collection in Collection::ALL.into_iter().filter(|of| *of != Collection::Checks) {
            let count = self.to.count(collection).await.map_err(&failed)?;
            if count > 0 {
                return Err(MigrationError::TargetNotEmpty { collection, count });
            }
        }
        Ok(None)
    }

    /// Empties a target that an unfinished migration has begun to fill; any other one stays as it is.
    ///
    /// # Errors
    /// When the target fails.
    pub async fn clear_target(&self) -> Result<(), MigrationError> {
        let failed = Side::Target.failed();
        if progress(self.to).await.map_err(&failed)?.is_none() {
            return Ok(());
        }
        for collection in Collection::ALL {
            self.to.clear(collection).await.map_err(&failed)?;
        }
        // last: until then no server may start on a half-empty target
        self.to.remove_progress().await.map_err(failed)
    }

    /// Copies everything and compares. After a stop at any point, the next call resumes.
    ///
    /// # Errors
    /// Why it stopped.
    pub async fn run(&self) -> Result<Vec<Comparison>, MigrationError> {
        let counts = count_records(self.from).await?;
        let (mut first, mut cursor) = (Collection::Checks, None);
        if let Some(progress) = self.target_progress().await?
            && let Some(collection) = Collection::parse(&progress.collection)
        {
            (first, cursor) = (collection, progress.behind);
            (self.on_step)(Step::Resumed(collection));
        }
        for (collection, all) in counts.into_iter().skip_while(|(collection, _)| *collection != first) {
            self.copy(collection, all, cursor.take()).await?;
        }
        let comparisons = self.compare().await?;
        let differences: Vec<Comparison> = comparisons.iter().filter(|one| one.from != one.to).copied().collect();
        if !differences.is_empty() {
            return Err(MigrationError::Differs(differences));
        }
        self.to.remove_progress().await.map_err(Side::Target.failed())?;
        Ok(comparisons)
    }

    async fn copy(&self, collection: Collection, all: u64, mut cursor: Option<String>) -> Result<(), MigrationError> {
        let failed = Side::Target.failed();
        let mut done = match &cursor {
            Some(_) => self.to.count(collection).await.map_err(&failed)?,
            None => 0,
        };
        let progress = |cursor: &Option<String>| {
            let (from, collection) = (self.source_name.to_owned(), collection.as_str().to_owned());
            let progress = Progress { from, collection, behind: cursor.clone() };
            serde_json::to_vec(&progress).map_err(|error| failed(PortError::new(PORT, error)))
        };
        // before the first record, so that a half-filled target is never without it
        self.to.put_all(Vec::new(), &progress(&cursor)?).await.map_err(&failed)?;
        if cursor.is_none() {
            // a target of the same secrets may hold check values already
            self.to.clear(collection).await.map_err(&failed)?;
        }
        while let Some(page) = read_page(self.from, collection, cursor, Side::Source).await? {
            done += page.records.len() as u64;
            cursor = Some(page.cursor);
            let put = tokio::time::timeout(TIMEOUT, self.to.put_all(page.records, &progress(&cursor)?)).await;
            put.unwrap_or_else(|_| Err(timed_out())).map_err(&failed)?;
            (self.on_step)(Step::Copied { of: collection, done, all: all.max(done) });
        }
        Ok(())
    }

    /// Reads every record of both stores.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn compare(&self) -> Result<Vec<Comparison>, MigrationError> {
        let mut comparisons = Vec::new();
        for collection in Collection::ALL {
            let from = self.hash(self.from, collection, Side::Source).await?;
            let to = self.hash(self.to, collection, Side::Target).await?;
            comparisons.push(Comparison { collection, from, to });
        }
        Ok(comparisons)
    }

    async fn hash(
        &self,
        store: &dyn MigratableStore,
        of: Collection,
        side: Side,
    ) -> Result<CollectionHash, MigrationError> {
        let all = store.count(of).await.map_err(side.failed())?;
        let (mut hash, mut cursor) = (CollectionHash::default(), None);
        while let Some(page) = read_page(store, of, cursor, side).await? {
            page.records.iter().for_each(|record| hash.add(record));
            cursor = Some(page.cursor);
            (self.on_step)(Step::Read { of, done: hash.count, all: all.max(hash.count) });
        }
        Ok(hash)
    }
}

async fn read_page(
    store: &dyn MigratableStore,
    of: Collection,
    after: Option<String>,
    side: Side,
) -> Result<Option<RecordPage>, MigrationError> {
    let page = tokio::time::timeout(TIMEOUT, store.next_page(of, after, BATCH_SIZE)).await;
    page.unwrap_or_else(|_| Err(timed_out())).map_err(side.failed())
}

fn timed_out() -> PortError {
    PortError::new(PORT, "no answer in time")
}
