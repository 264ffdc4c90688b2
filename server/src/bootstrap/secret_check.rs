//! Checks that a database was written with the secrets of the settings, and is complete.

use std::sync::Arc;

use portcullis_adapters::crypto::check_values;
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
}

impl StoreSecrets {
    /// # Errors
    /// If the ring has an unusable key.
    pub fn of(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Self, String> {
        let cipher = AesGcmCipher::new(&settings.secrets.encryption_ring.0, randomness);
        let cipher = cipher.map_err(|error| format!("ENCRYPTION_KEY: {}", error.with_cause()))?;
        let digests = HmacDigest::new(settings.secrets.email_salt.expose().as_bytes());
        Ok(Self { cipher, digests, macs: factories::record_macs(settings)? })
    }

    /// The check of a database that `setting` names.
    pub fn check(&self, setting: &'static str, database: String) -> SecretCheck<'_> {
        SecretCheck { setting, database, cipher: &self.cipher, digests: &self.digests }
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
        let index_key = check_values::salt_check(self.digests).map_err(failed)?;
        let index_key = store.check_value_or_insert(INDEX_KEY, &index_key).await.map_err(failed)?;
        let ring = check_values::ring_check(self.cipher).map_err(failed)?;
        let ring = store.check_value_or_insert(RING, &ring).await.map_err(failed)?;
        self.compare(Some(&index_key), Some(&ring))?;
        self.key_ages(store, keys).await.map_err(failed)
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
        let signing = check_values::fingerprint(self.digests, keys.signing.as_bytes())?;
        let names = [
            ("ENCRYPTION_KEY", format!("since:encryption:{}", keys.encrypting)),
            ("JWT_SECRET", format!("since:signing:{signing}")),
        ];
        let mut ages = Vec::new();
        for (setting, name) in names {
            let since = store.check_value_or_insert(&name, &keys.now.as_millis().to_be_bytes()).await?;
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
                 in it. Fix: finish it with the same `portcullis migrate-data` as before."
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
        self.compare(index_key.as_deref(), ring.as_deref())?;
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

    fn compare(&self, index_key: Option<&[u8]>, ring: Option<&[u8]>) -> Result<(), String> {
        let database = &self.database;
        let ours = check_values::salt_check(self.digests).map_err(|error| error.with_cause())?;
        if index_key.is_some_and(|stored| stored != ours) {
            return Err(format!(
                "EMAIL_SALT: {database} was written with another one, so that no e-mail in it could be found. Fix: set \
                 EMAIL_SALT to the value this database began with."
            ));
        }
        if ring.is_some_and(|ring| !check_values::verify_ring_check(self.cipher, ring)) {
            return Err(format!(
                "ENCRYPTION_KEY: {database} was written with another key, so that nothing in it could be read. Fix: add \
                 the key this database was written with to the ring, as in ENCRYPTION_KEY=2:NEW,1:OLD."
            ));
        }
        Ok(())
    }
}
