//! Moving between two embedded stores: everything arrives, a stop anywhere loses nothing, the comparison sees what differs, and
//! what must not be moved is refused. `tests/deployment` moves to MongoDB and back.

mod backup;
mod command_line;
mod crash_points;

use portcullis_tests::record_macs;
use std::path::Path;

use portcullis_adapters::data_migration::canonical_hash::CollectionHash;
use portcullis_adapters::data_migration::error::{Comparison, MigrationError};
use portcullis_adapters::data_migration::migration::{Migration, Step};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::check_value_store::CheckValueStore as _;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_tests::seed_data::seed;

/// Enough for several batches.
const MANY: u64 = 1_700;

fn open(folder: &Path, name: &str) -> Sqlite {
    Sqlite::open(&folder.join(name), &record_macs::of_ring(&[1])).expect("a store")
}

async fn moved(from: &dyn MigratableStore, to: &dyn MigratableStore) -> Result<Vec<Comparison>, MigrationError> {
    Migration { from, to, source_name: "here", on_step: &|_: Step| {} }.run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to, back) =
        (open(folder.path(), "from.db"), open(folder.path(), "to.db"), open(folder.path(), "back.db"));
    from.check_value_or_insert("email_salt", b"salt").await.unwrap();
    seed(&from, 0..MANY).await;
    let comparisons = moved(&from, &to).await.unwrap();
    assert_eq!(comparisons.len(), Collection::ALL.len());
    for comparison in &comparisons {
        assert_eq!(comparison.from, comparison.to);
        assert!(comparison.from.count > 0, "{}: nothing was tried", comparison.collection.as_str());
    }
    let count = |of| comparisons.iter().find(|comparison| comparison.collection == of).unwrap().from.count;
    assert_eq!((count(Collection::Users), count(Collection::Audit)), (MANY, 2 * MANY));
    // and nothing is lost in the shape it has there
    assert_eq!(
        moved(&to, &back).await.unwrap().iter().map(|comparison| comparison.from).collect::<Vec<_>>(),
        hashes(&comparisons)
    );
}

fn hashes(comparisons: &[Comparison]) -> Vec<CollectionHash> {
    comparisons.iter().map(|comparison| comparison.from).collect()
}
