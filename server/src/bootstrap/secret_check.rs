//! Checks that a database was written with the secrets of the settings, and is complete.

use std::sync::Arc;

use portcullis_adapters::crypto::check_values::{self, IndexKeyInUse};
use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::data_migration::migration::unfinished_source;
use portcullis_core::model::stored_record::Collection;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::randomness::Randomness;

use super::factories;
use crate::config::Settings;
use crate::http::app::KeyAge;

/// Names of the check values. The first one has the name of the first version.
const INDEX_KEY: &str = "email_salt";
const RING: &str = check_values::RING;

/// The keys in use.
pub struct KeysInUse<'a> {
    encrypting: u32,
    signing: &'a str,
    now: Timestamp,
}

impl<'a> KeysInUse<'a> {
    pub fn of(settings: &'a Settings, now: Timestamp) -> Self {
        let secrets = &settings.secrets;
        let encrypting = secrets.encryption_ring.0.first().map_or(0, |(id, _)| *id);
        Self { encrypting, signing: secrets.jwt_secrets.newest(), now }
    }
}

/// The cipher, the digests and the MACs of the settings' secrets.
pub struct StoreSecrets {
    pub cipher: AesGcmCipher,
    pub digests: HmacDigest,
    pub macs: Arc<RecordMacs>,
    index_ids: Vec<u32>,
}

impl StoreSecrets {
    /// # Errors
    /// If the ring has an unusable key.
    pub fn of(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Self, String> {
        let cipher = AesGcmCipher::new(&settings.secrets.encryption_ring.0, randomness);
        let cipher = cipher.map_err(|error| format!("ENCRYPTION_KEY: {}", error.with_cause()))?;
        let digests = factories::index_digests(settings);
        let index_ids = settings.secrets.index_keys.ids();
        Ok(Self { cipher, digests, macs: factories::record_macs(settings)?, index_ids })
    }

    /// The check of a database that `setting` names.
    pub fn check(&self, setting: &'static str, database: String) -> SecretCheck<'_> {
        let index_ids = self.index_ids.clone();
        SecretCheck { setting, database, cipher: &self.cipher, digests: &self.digests, index_ids }
    }
}

/// The check of one database.
pub struct SecretCheck<'a> {
    /// The setting that names the database.
    pub setting: &'static str,
    /// The database's name in messages.
    pub database: String,
    pub cipher: &'a dyn FieldCipher,
    pub digests: &'a dyn KeyedDigest,
    /// The ids of the index keys, the newest first.
    pub index_ids: Vec<u32>,
}

impl SecretCheck<'_> {
    /// Verifies that the database was written with these secrets, or stores their check values in a new one. Returns since
    /// when the database knows the keys in use.
    ///
    /// # Errors
    /// The secret that differs, with the fix.
    pub async fn verify_or_insert(
        &self,
        store: &dyn MigratableStore,
        keys: &KeysInUse<'_>,
    ) -> Result<Vec<KeyAge>, String> {
        let failed = |error: PortError| self.failed(&error);
        self.verify_complete(store).await?;
        self.verify_present(store).await?;
        let ours = self.index_keys()?;
        let newest = check_values::index_keys_value(ours.get(..1).unwrap_or_default());
        let index_key = store.check_value_or_insert(INDEX_KEY, &newest).await.map_err(failed)?;
        let ring = check_values::ring_check(self.cipher).map_err(failed)?;
        let ring = store.check_value_or_insert(RING, &ring).await.map_err(failed)?;
        self.compare(Some(&index_key), Some(&ring)).map_err(|problems| problems.join("\n"))?;
        self.use_newest_index_key(store, &ours).await?;
        self.key_ages(store, keys).await.map_err(failed)
    }

    /// The index keys of the settings, the newest first.
    fn index_keys(&self) -> Result<Vec<IndexKeyInUse>, String> {
        let checks = check_values::index_key_checks(self.digests).map_err(|error| self.failed(&error))?;
        let ids = self.index_ids.iter().copied().map(Some);
        Ok(ids.zip(checks).map(|(id, check)| IndexKeyInUse { id, check }).collect())
    }

    /// Writes down that records have digests under the newest index key from now on: without it no server starts.
    async fn use_newest_index_key(&self, store: &dyn MigratableStore, ours: &[IndexKeyInUse]) -> Result<(), String> {
        let Some(newest) = ours.first() else { return Ok(()) };
        loop {
            let stored = store.check_value(INDEX_KEY).await.map_err(|error| self.failed(&error))?.unwrap_or_default();
            let mut in_use = self.parse_index_keys(&stored)?;
            if in_use.iter().any(|key| key.check == newest.check) {
                return Ok(());
            }
            // the list has ids: that of the first key is known now
            for key in &mut in_use {
                key.id = ours.iter().find(|own| own.check == key.check).map_or(key.id, |own| own.id);
            }
            in_use.push(*newest);
            let list = check_values::index_keys_value(&in_use);
            if store.replace_check_value(INDEX_KEY, &stored, &list).await.map_err(|error| self.failed(&error))? {
                return Ok(());
            }
        }
    }

    /// Writes down that every record has a digest under the newest index key, so that the others may leave the ring. The
    /// ids of those that were in use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retire_older_index_keys(&self, store: &dyn MigratableStore) -> Result<Vec<u32>, String> {
        let newest: Vec<IndexKeyInUse> = self.index_keys()?.into_iter().take(1).collect();
        let list = check_values::index_keys_value(&newest);
        loop {
            let stored = store.check_value(INDEX_KEY).await.map_err(|error| self.failed(&error))?.unwrap_or_default();
            let older = self
                .parse_index_keys(&stored)?
                .into_iter()
                .filter(|key| !newest.iter().any(|new| new.check == key.check));
            let older: Vec<u32> = older.map(|key| key.id.unwrap_or(1)).collect();
            if older.is_empty() {
                return Ok(older);
            }
            if store.replace_check_value(INDEX_KEY, &stored, &list).await.map_err(|error| self.failed(&error))? {
                return Ok(older);
            }
        }
    }

    /// The ids of the index keys without which no server starts on this database.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn index_keys_in_use(&self, store: &dyn CheckValueStore) -> Result<Vec<u32>, String> {
        let stored = store.check_value(INDEX_KEY).await.map_err(|error| self.failed(&error))?.unwrap_or_default();
        let ours = self.index_keys()?;
        let id = |key: &IndexKeyInUse| {
            ours.iter().find(|own| own.check == key.check).map_or(key.id, |own| own.id).unwrap_or(1)
        };
        Ok(self.parse_index_keys(&stored)?.iter().map(id).collect())
    }

    fn parse_index_keys(&self, value: &[u8]) -> Result<Vec<IndexKeyInUse>, String> {
        let Self { setting, database, .. } = self;
        check_values::index_keys_in_use(value).ok_or_else(|| {
            format!(
                "{setting}: the check value {INDEX_KEY} of {database} cannot be read. Fix: restore it from a backup."
            )
        })
    }

    /// A database that has records has check values too. Without them any secrets would seem to be the right ones.
    async fn verify_present(&self, store: &dyn MigratableStore) -> Result<(), String> {
        for name in [INDEX_KEY, RING] {
            if store.check_value(name).await.map_err(|error| self.failed(&error))?.is_some() {
                continue;
            }
            for of in [Collection::Users, Collection::Registrations, Collection::Sessions, Collection::OneTimeTokens] {
                if store.count(of).await.map_err(|error| self.failed(&error))? > 0 {
                    let Self { setting, database, .. } = self;
                    return Err(format!(
                        "{setting}: {database} has records, but its check value {name} is gone, which tells whether the \
                         secrets are the right ones. Fix: restore the table or collection checks from a backup."
                    ));
                }
            }
        }
        Ok(())
    }

    async fn key_ages(&self, store: &dyn MigratableStore, keys: &KeysInUse<'_>) -> Result<Vec<KeyAge>, PortError> {
        let signing = check_values::fingerprints(self.digests, keys.signing.as_bytes())?;
        let signing = signing.into_iter().map(|signing| format!("since:signing:{signing}")).collect();
        let names =
            [("ENCRYPTION_KEY", vec![format!("since:encryption:{}", keys.encrypting)]), ("JWT_SECRET", signing)];
        let mut ages = Vec::new();
        for (setting, names) in names {
            let mut since = keys.now.as_millis().to_be_bytes().to_vec();
            for name in names.iter().rev() {
                since = store.check_value_or_insert(name, &since).await?;
            }
            let since = since.try_into().map_or(keys.now, |bytes| Timestamp::from_millis(i64::from_be_bytes(bytes)));
            ages.push(KeyAge { setting, since });
        }
        Ok(ages)
    }

    /// Verifies that the database is not the target of an unfinished migration.
    ///
    /// # Errors
    /// If it is one.
    pub async fn verify_complete(&self, store: &dyn CheckValueStore) -> Result<(), String> {
        let Self { setting, database, .. } = self;
        match unfinished_source(store).await.map_err(|error| self.failed(&error))? {
            None => Ok(()),
            Some(from) => Err(format!(
                "{setting}: {database} is the target of an unfinished migration from {from}, so that something is missing \
                 in it. Fix: finish it with the same `portcullis migrate-data` or `portcullis restore` as before."
            )),
        }
    }

    /// Verifies that the database was written with these secrets, and changes nothing. Whether a server has used it.
    ///
    /// # Errors
    /// The secret that differs, with the fix.
    pub async fn verify(&self, store: &dyn CheckValueStore) -> Result<bool, String> {
        let index_key = store.check_value(INDEX_KEY).await.map_err(|error| self.failed(&error))?;
        let ring = store.check_value(RING).await.map_err(|error| self.failed(&error))?;
        self.compare(index_key.as_deref(), ring.as_deref()).map_err(|problems| problems.join("\n"))?;
        Ok(index_key.is_some() && ring.is_some())
    }

    /// The same for a database that a server must have used.
    ///
    /// # Errors
    /// The secret that differs, with the fix.
    pub async fn verify_used(&self, store: &dyn CheckValueStore) -> Result<(), String> {
        let Self { setting, database, .. } = self;
        if self.verify(store).await? {
            return Ok(());
        }
        Err(format!("{setting}: no server has used {database} yet. Fix: see that the name is right"))
    }

    fn failed(&self, error: &PortError) -> String {
        format!("{}: {}", self.setting, error.with_cause())
    }

    /// All that differs.
    fn compare(&self, index_keys: Option<&[u8]>, ring: Option<&[u8]>) -> Result<(), Vec<String>> {
        let database = &self.database;
        let mut problems = Vec::new();
        if let Some(stored) = index_keys {
            let ours = self.index_keys().map_err(|problem| vec![problem])?;
            let stored = self.parse_index_keys(stored).map_err(|problem| vec![problem])?;
            let is_missing = |key: &&IndexKeyInUse| !ours.iter().any(|own| own.check == key.check);
            let missing: Vec<String> =
                stored.iter().filter(is_missing).map(|key| key.id.unwrap_or(1).to_string()).collect();
            if missing.len() == stored.len() {
                problems.push(format!(
                    "INDEX_KEY (or EMAIL_SALT): {database} was written with another one, so that no e-mail in it could be found. Fix: set \
                     INDEX_KEY to the value this database was written with, or add it to the ring, as in \
                     INDEX_KEY=2:NEW,1:OLD."
                ));
            } else if !missing.is_empty() {
                problems.push(format!(
                    "INDEX_KEY (or EMAIL_SALT): {database} has records under the index key {}, which is not in the ring. Fix: put it back, \
                     as in INDEX_KEY=2:NEW,1:OLD, until `portcullis keys reindex` has said that it may leave.",
                    missing.join(" and ")
                ));
            }
        }
        if ring.is_some_and(|ring| !check_values::verify_ring_check(self.cipher, ring)) {
            problems.push(format!(
                "ENCRYPTION_KEY: {database} was written with another key, so that nothing in it could be read. Fix: add \
                 the key this database was written with to the ring, as in ENCRYPTION_KEY=2:NEW,1:OLD."
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
