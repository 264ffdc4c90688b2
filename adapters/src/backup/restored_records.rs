//! The records of a backup that a restore takes over, as a source of a data migration. Left out is every right of the
//! time of the backup (sessions, links, codes, credentials), everything that was about to be sent, and each account that
//! was deleted later.

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
/// Records that are read at once.
const BATCH_SIZE: usize = 500;

/// Whether the records of a collection are taken over at all. Registrations and failed logins may be of an address whose
/// account was deleted later; waiting jobs were done by the server that went on.
#[must_use]
pub const fn is_restored(of: Collection) -> bool {
    match of {
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

/// The number of records of each collection, the accounts that stay deleted, and the names of the credentials.
#[derive(Debug, Default)]
pub struct Examined {
    /// Each collection of the backup.
    pub counts: Vec<(Collection, u64)>,
    /// The accounts that were deleted after the backup.
    pub erased: Vec<(Realm, UserId)>,
    /// The service clients and operator tokens, which need new secrets.
    pub credentials: Vec<(Realm, CredentialName)>,
}

/// Reads and verifies every record of a store. Reports the collection, the records that were read, and all of them.
///
/// # Errors
/// When a record can't be read or does not verify.
pub async fn examine(
    store: &dyn MigratableStore,
    is_erased: &(dyn Fn(&Realm, &UserId) -> bool + Sync),
    on_step: &(dyn Fn(Collection, u64, u64) + Sync),
) -> Result<Examined, PortError> {
    let mut examined = Examined::default();
    for of in Collection::ALL {
        let all = store.count(of).await?;
        let (mut count, mut cursor) = (0, None);
        while let Some(page) = store.next_page(of, cursor, BATCH_SIZE).await? {
            count += page.records.len() as u64;
            for record in page.records {
                match record {
                    Record::User(user) if is_erased(&user.realm, &user.id) => {
                        examined.erased.push((user.realm, user.id));
                    }
                    Record::Credential(one) => examined.credentials.push((one.realm, one.name)),
                    _ => {}
                }
            }
            cursor = Some(page.cursor);
            on_step(of, count, all.max(count));
        }
        examined.counts.push((of, count));
    }
    Ok(examined)
}

/// A backup without what a restore leaves out. It is only read.
pub struct RestoredRecords<'a> {
    from: &'a dyn MigratableStore,
    erased: HashSet<(Realm, UserId)>,
}

impl<'a> RestoredRecords<'a> {
    /// Those of a store, without the accounts that were deleted.
    #[must_use]
    pub fn new(from: &'a dyn MigratableStore, erased: &[(Realm, UserId)]) -> Self {
        Self { from, erased: erased.iter().cloned().collect() }
    }

    fn restored(&self, record: Record) -> Option<Record> {
        let gone = |realm: &Realm, user: &UserId| self.erased.contains(&(realm.clone(), *user));
        match record {
            Record::User(user) if gone(&user.realm, &user.id) => None,
            Record::User(mut user) => {
                user.pending_email = None;
                (user.factors.pending_totp, user.factors.devices) = (None, None);
                Some(Record::User(user))
            }
            Record::Undo(undo) if gone(&undo.realm, &undo.user) => None,
            // the link is dead; the address that it reserves stays reserved
            Record::Undo(undo) => Some(Record::Undo(Box::new(UndoRecord { token: None, used: true, ..*undo }))),
            record => Some(record),
        }
    }
}

fn read_only<T>() -> Result<T, PortError> {
    Err(PortError::new(PORT, "a backup is only read"))
}

#[async_trait]
impl MigratableStore for RestoredRecords<'_> {
    async fn next_page(
        &self,
        of: Collection,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError> {
        if !is_restored(of) {
            return Ok(None);
        }
        while let Some(page) = self.from.next_page(of, after, limit).await? {
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

    async fn count(&self, of: Collection) -> Result<u64, PortError> {
        if is_restored(of) { self.from.count(of).await } else { Ok(0) }
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
        self.from.check_value(name).await
    }

    async fn check_value_or_insert(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, PortError> {
        read_only()
    }

    async fn replace_check_value(&self, _: &str, _: &[u8], _: &[u8]) -> Result<bool, PortError> {
        read_only()
    }
}
