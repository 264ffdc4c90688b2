//! A move that is stopped between any two batches, one that is disturbed, and targets that are not its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use portcullis_adapters::data_migration::error::MigrationError;
use portcullis_adapters::data_migration::migration::{Migration, Step};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::stored_record::{Collection, Record, RecordPage};
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::data_migration_store::{MigratableStore, PROGRESS_KEY};
use portcullis_core::ports::database::{Change, Database as _, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_testkit::samples::{realm, user, user_id};
use portcullis_tests::seed_data::seed;

use crate::{MANY, moved, open};

/// A target that fails after so many batches, or changes a record on its way.
struct Target<'a> {
    store: &'a Sqlite,
    batches: AtomicUsize,
    changes: bool,
}

#[async_trait]
impl MigratableStore for Target<'_> {
    async fn next_page(
        &self,
        of: Collection,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError> {
        self.store.next_page(of, after, limit).await
    }

    async fn put_all(&self, mut records: Vec<Record>, progress: &[u8]) -> Result<(), PortError> {
        let left = self.batches.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| PortError::new("test", "killed"))?;
        if let Some(Record::User(user)) = records.last_mut().filter(|_| self.changes) {
            user.disabled = !user.disabled;
        }
        self.store.put_all(records, progress).await
    }

    async fn count(&self, of: Collection) -> Result<u64, PortError> {
        self.store.count(of).await
    }

    async fn clear(&self, of: Collection) -> Result<(), PortError> {
        self.store.clear(of).await
    }

    async fn remove_progress(&self) -> Result<(), PortError> {
        self.store.remove_progress().await
    }
}

#[async_trait]
impl CheckValueStore for Target<'_> {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.store.check_value(name).await
    }

    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        self.store.check_value_or_insert(name, value).await
    }

    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError> {
        self.store.replace_check_value(name, expected, new).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_after_any_batch_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (open(folder.path(), "from.db"), open(folder.path(), "to.db"));
    seed(&from, 0..MANY).await;
    let mut stops = 0;
    let comparisons = loop {
        // one more batch each time: never twice the same, and never from the beginning
        let target = Target { store: &to, batches: AtomicUsize::new(2), changes: false };
        match moved(&from, &target).await {
            Ok(comparisons) => break comparisons,
            Err(MigrationError::Store { error, .. }) => assert_eq!(error.source.to_string(), "killed"),
            Err(other) => panic!("{other}"),
        }
        stops += 1;
        assert!(to.check_value(PROGRESS_KEY).await.unwrap().is_some(), "half filled, it is known for it");
        assert!(stops < 100, "it does not come forward");
    };
    assert!(stops > 10, "{stops}");
    assert!(comparisons.iter().all(|comparison| comparison.from == comparison.to));
    assert_eq!(to.check_value(PROGRESS_KEY).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_changed_during_the_copy_fails_the_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (open(folder.path(), "from.db"), open(folder.path(), "to.db"));
    seed(&from, 0..20).await;
    let target = Target { store: &to, batches: AtomicUsize::new(usize::MAX), changes: true };
    let refused = moved(&from, &target).await.unwrap_err();
    let MigrationError::Differs(comparisons) = &refused else { panic!("{refused}") };
    assert_eq!(comparisons.iter().map(|comparison| comparison.collection).collect::<Vec<_>>(), [Collection::Users]);
    assert!(refused.to_string().contains("users has 20") && refused.to_string().contains("--again"), "{refused}");
    // a restarted migration succeeds
    let migration = Migration { from: &from, to: &to, source_name: "here", on_step: &|_: Step| {} };
    migration.clear_target().await.unwrap();
    assert_eq!(to.count(Collection::Users).await.unwrap(), 0);
    assert!(migration.run().await.is_ok());
}

#[tokio::test]
async fn a_record_added_to_the_source_during_the_copy_fails_the_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (open(folder.path(), "from.db"), open(folder.path(), "to.db"));
    seed(&from, 0..20).await;
    let target = Target { store: &to, batches: AtomicUsize::new(8), changes: false };
    assert!(matches!(moved(&from, &target).await, Err(MigrationError::Store { .. })));
    // the server ran again between two calls
    let gone = Change::DeleteUser { realm: realm("User1"), id: user_id(1), expected: 1 };
    from.commit(UnitOfWork::of(gone)).await.unwrap().unwrap();
    assert!(matches!(moved(&from, &to).await, Err(MigrationError::Differs(_))));
}

#[tokio::test]
async fn targets_of_others_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (open(folder.path(), "from.db"), open(folder.path(), "to.db"));
    seed(&from, 0..20).await;
    // an account of another deployment
    let new = Change::InsertUser(Box::new(user(&realm("User1"), 1)));
    to.commit(UnitOfWork::of(new)).await.unwrap().unwrap();
    let refused = moved(&from, &to).await.unwrap_err();
    assert!(matches!(refused, MigrationError::TargetNotEmpty { collection: Collection::Users, count: 1 }), "{refused}");
    // --again is no way around it
    let migration = Migration { from: &from, to: &to, source_name: "here", on_step: &|_: Step| {} };
    migration.clear_target().await.unwrap();
    assert_eq!(to.count(Collection::Users).await.unwrap(), 1);
    // half filled from elsewhere
    let other = open(folder.path(), "other.db");
    let target = Target { store: &other, batches: AtomicUsize::new(3), changes: false };
    assert!(moved(&from, &target).await.is_err());
    let elsewhere = Migration { from: &from, to: &other, source_name: "elsewhere", on_step: &|_: Step| {} };
    let refused = elsewhere.run().await.unwrap_err();
    assert!(refused.to_string().contains("unfinished migration from here"), "{refused}");
    // nor can it be moved on from there
    let refused = moved(&other, &to).await.unwrap_err();
    assert!(matches!(refused, MigrationError::SourceUnfinished { .. }), "{refused}");
}
