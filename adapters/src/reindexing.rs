//! Re-index of a store: passes over all records with a blind index, page by page, beside running servers, until a pass finds
//! nothing to change. A record that has the indexes of the ring is left alone, so that after a kill another call goes on.

use std::collections::BTreeMap;
use std::time::Instant;

use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::operator::reindex::{INDEXED, IndexCounts, ReindexMode};

use crate::key_rotation::retry;

/// Records read at once.
const PAGE_SIZE: usize = 200;
/// Passes over all records. Servers that still write the indexes of another ring after that need a restart.
const MAX_PASSES: u32 = 5;

/// The counts of a pass, by collection, and how many records all passes changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// The counts of the last pass.
    pub counts: BTreeMap<&'static str, IndexCounts>,
    /// Records that were changed.
    pub reindexed: u64,
}

impl IndexReport {
    /// The counts of all collections together.
    #[must_use]
    pub fn total(&self) -> IndexCounts {
        let mut total = IndexCounts::default();
        self.counts.values().for_each(|counts| total.add(counts));
        total
    }
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexStep {
    /// The collection.
    pub of: Collection,
    /// How many records were read.
    pub done: u64,
    /// How many there are.
    pub all: u64,
}

/// A re-index.
pub struct Reindexing<'a> {
    /// The use cases, over the same store.
    pub service: &'a AuthService,
    /// The store.
    pub store: &'a dyn MigratableStore,
    /// Called at every step.
    pub on_step: &'a (dyn Fn(IndexStep) + Send + Sync),
}

impl Reindexing<'_> {
    /// Counts the indexes, and changes nothing.
    ///
    /// # Errors
    /// When the store fails, or a record does not verify.
    pub async fn count(&self) -> Result<IndexReport, PortError> {
        let counts = self.pass(ReindexMode::Count).await?;
        Ok(IndexReport { counts, reindexed: 0 })
    }

    /// Gives every record the indexes of the ring.
    ///
    /// # Errors
    /// When the store fails, or a record does not verify.
    pub async fn run(&self) -> Result<IndexReport, PortError> {
        let mut report = IndexReport::default();
        for _ in 0..MAX_PASSES {
            report.counts = self.pass(ReindexMode::Write).await?;
            let IndexCounts { outdated, reindexed, .. } = report.total();
            report.reindexed += reindexed;
            // records that changed or came during a pass are found by the next one; the last finds nothing to do
            if outdated == 0 {
                break;
            }
        }
        Ok(report)
    }

    async fn pass(&self, mode: ReindexMode) -> Result<BTreeMap<&'static str, IndexCounts>, PortError> {
        let mut report = BTreeMap::new();
        for of in INDEXED {
            let all = retry(|| self.store.count(of)).await?;
            let (mut done, mut cursor, mut counts) = (0, None::<String>, IndexCounts::default());
            loop {
                let began = Instant::now();
                let operators = self.service.operators();
                let page = retry(|| operators.reindex_page(self.store, of, cursor.clone(), PAGE_SIZE, mode)).await?;
                let Some(page) = page else { break };
                done += page.read;
                counts.add(&page.counts);
                cursor = Some(page.cursor);
                (self.on_step)(IndexStep { of, done, all: all.max(done) });
                if page.counts.reindexed > 0 {
                    // half of the store's time is left to the servers
                    tokio::time::sleep(began.elapsed()).await;
                }
            }
            report.insert(of.as_str(), counts);
        }
        Ok(report)
    }
}
