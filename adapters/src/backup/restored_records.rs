//! The records that a restore takes over from a backup, as the source of a data migration. It leaves out
//! sessions, links, codes and credentials, messages that waited to be sent, and accounts that were deleted after the
//! backup.

use std::collections::HashSet;

use async_trait::async_trait;
use portcullis_core::model::credential::CredentialName;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::stored_record::{Collection, Record, RecordPage};
use portcullis_core::model::undo::UndoRecord;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::error::PortError;

const PORT: &str = "data_migration_store";
/// Records of one read.
const BATCH_SIZE: usize = 500;

/// Whether a restore takes over the records of a collection. Registrations and failed logins may belong to an address
/// whose account was deleted after the backup. The server that ran on after the backup has done the waiting jobs.
#[must_use]
pub const fn is_restored(collection: Collection) -> bool {
    match collection {
        Collection::Sessions
        | Collection::OneTimeTokens
        | Collection::Credentials
        | Collection::Registrations
        | Collection::Jobs
        | Collection::LoginCounts
        | Collection::SentMessages => false,
        Collection::Checks
        | Collection::Users
        | Collection::UndoRecords
        | Collection::Webhooks
        | Collection::Audit
        | Collection::Buckets => true,
    }
}

/// The contents of a backup.
#[derive(Debug, Default)]
pub struct Examined {
    /// The number of records of each collection.
    pub counts: Vec<(Collection, u64)>,
    /// The accounts that were deleted after the backup, and stay deleted.
    pub erased: Vec<(Realm, UserId)>,
    /// The service clients and operator tokens, which need new secrets.
    pub credentials: Vec<(Realm, CredentialName)>,
}

/// Reads and verifies every record of a store. `on_step` receives the collection, the number of its records
/// read so far, and the number of all its records.
///
/// # Errors
/// When a record can't be read or does not verify.
pub async fn examine(
    store: &dyn MigratableStore,
    is_erased: &(dyn Fn(&Realm, &UserId) -> bool + Sync),
    on_step: &(dyn Fn(Collection, u64, u64) + Sync),
) -> Result<Examined, PortError> {
    let mut examined = Examined::default();
    for collection in Collection::ALL {
        let total = store.count(collection).await?;
        let (mut count, mut cursor) = (0, None);
        while let Some(page) = store.next_page(collection, cursor, BATCH_SIZE).await? {
            count += page.records.len() as u64;
            for record in page.records {
                match record {
                    Record::User(user) if is_erased(&user.realm, &user.id) => {
                        examined.erased.push((user.realm, user.id));
                    }
                    Record::Credential(credential) => {
                        examined.credentials.push((credential.realm, credential.name));
                    }
                    _ => {}
                }
            }
            cursor = Some(page.cursor);
            on_step(collection, count, total.max(count));
        }
        examined.counts.push((collection, count));
    }
    Ok(examined)
}

/// A read-only view of a backup without the records that a restore leaves out.
pub struct RestoredRecords<'a> {
    backup: &'a dyn MigratableStore,
    erased: HashSet<(Realm, UserId)>,
}

impl<'a> RestoredRecords<'a> {
    /// A view of a backup without the erased accounts.
    #[must_use]
    pub fn new(backup: &'a dyn MigratableStore, erased: &[(Realm, UserId)]) -> Self {
        Self { backup, erased: erased.iter().cloned().collect() }
    }

    fn restored(&self, record: Record) -> Option<Record> {
        let is_erased = |realm: &Realm, user: &UserId| self.erased.contains(&(realm.clone(), *user));
        match record {
            Record::User(user) if is_erased(&user.realm, &user.id) => None,
            Record::User(mut user) => {
                user.pending_email = None;
                (user.factors.pending_totp, user.factors.devices) = (None, None);
                Some(Record::User(user))
            }
            Record::Undo(undo) if is_erased(&undo.realm, &undo.user) => None,
            // the link no longer works; the address that the record reserves stays reserved
            Record::Undo(undo) => Some(Record::Undo(Box::new(UndoRecord { token: None, used: true, ..*undo }))),
            record => Some(record),
        }
    }
}

fn read_only<T>() -> Result<T, PortError> {
    Err(PortError::new(PORT, "a backup is read-only"))
}

#[async_trait]
impl MigratableStore for RestoredRecords<'_> {
    async fn next_page(
        &self,
        collection: Collection,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError> {
        if !is_restored(collection) {
            return Ok(None);
        }
        while let Some(page) = self.backup.next_page(collection, after, limit).await? {
            let records: Vec<Record> = page.records.into_iter().filter_map(|record| self.restored(record)).collect();
            if !records.is_empty() {
                return Ok(Some(RecordPage { records, cursor: page.cursor }));
            }
            after = Some(page.cursor);
        }
        Ok(None)
    }

    async fn put_all(&self, _: Vec<Record>, _: &[u8]) -> Result<(), PortError> {
        read_only()
    }

    async fn count(&self, collection: Collection) -> Result<u64, PortError> {
        if is_restored(collection) { self.backup.count(collection).await } else { Ok(0) }
    }

    async fn clear(&self, _: Collection) -> Result<(), PortError> {
        read_only()
    }

    async fn remove_progress(&self) -> Result<(), PortError> {
        read_only()
    }
}

#[async_trait]
impl CheckValueStore for RestoredRecords<'_> {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.backup.check_value(name).await
    }

    async fn check_value_or_insert(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, PortError> {
        read_only()
    }

    async fn replace_check_value(&self, _: &str, _: &[u8], _: &[u8]) -> Result<bool, PortError> {
        read_only()
    }
}
