//! That a database was written with these secrets, and wholly.

use portcullis_adapters::crypto::check_values;
use portcullis_adapters::data_migration::MigratableStore;
use portcullis_adapters::data_migration::migration::unfinished;
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::KeyedDigest;

use super::shown;
use crate::config::Settings;
use crate::http::app::KeyAge;

/// The check values, by name.
const SALT: &str = "email_salt";
const RING: &str = check_values::RING;

/// A store that keeps check values.
pub trait Checked: MigratableStore {
    async fn check(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError>;
}

impl Checked for Sqlite {
    async fn check(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        self.check_value_or_insert(name, value).await
    }
}

impl Checked for MongoDb {
    async fn check(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        self.check_value_or_insert(name, value).await
    }
}

/// The keys in use.
pub struct Keys<'a> {
    encrypting: u32,
    signing: &'a str,
    now: Timestamp,
}

impl<'a> Keys<'a> {
    pub fn of(settings: &'a Settings, now: Timestamp) -> Self {
        let secrets = &settings.secrets;
        let encrypting = secrets.encryption_ring.0.first().map_or(0, |(id, _)| *id);
        Self { encrypting, signing: secrets.jwt_secret.expose(), now }
    }
}

/// That a database was written with these secrets.
pub struct Proof<'a> {
    /// The setting that names the database.
    pub setting: &'static str,
    /// What the database is called.
    pub place: String,
    pub cipher: &'a dyn FieldCipher,
    pub digests: &'a dyn KeyedDigest,
}

impl Proof<'_> {
    /// Demands that the database was written with these secrets, or is from now on; since when it knows the keys in use.
    ///
    /// # Errors
    /// What differs, and the mend.
    pub async fn demand(&self, store: &impl Checked, keys: &Keys<'_>) -> Result<Vec<KeyAge>, String> {
        let failed = |error: PortError| format!("{}: {}", self.setting, shown(&error));
        if let Some(from) = unfinished(store).await.map_err(failed)? {
            return Err(format!(
                "{}: {} is the target of an unfinished move from {from}, so that something is missing in it. Fix: finish \
                 it with the same `portcullis move` as before.",
                self.setting, self.place
            ));
        }
        let salt = check_values::salt_check(self.digests).map_err(failed)?;
        let salt = store.check(SALT, &salt).await.map_err(failed)?;
        let ring = check_values::ring_check(self.cipher).map_err(failed)?;
        let ring = store.check(RING, &ring).await.map_err(failed)?;
        self.compare(Some(&salt), Some(&ring))?;
        self.ages(store, keys).await.map_err(failed)
    }

    async fn ages(&self, store: &impl Checked, keys: &Keys<'_>) -> Result<Vec<KeyAge>, PortError> {
        let signing = check_values::fingerprint(self.digests, keys.signing.as_bytes())?;
        let names = [
            ("ENCRYPTION_KEY", format!("since:encryption:{}", keys.encrypting)),
            ("JWT_SECRET", format!("since:signing:{signing}")),
        ];
        let mut ages = Vec::new();
        for (setting, name) in names {
            let since = store.check(&name, &keys.now.as_millis().to_be_bytes()).await?;
            let since = since.try_into().map_or(keys.now, |bytes| Timestamp::from_millis(i64::from_be_bytes(bytes)));
            ages.push(KeyAge { setting, since });
        }
        Ok(ages)
    }

    /// Looks whether the database was written with these secrets, and changes nothing; whether it has been written to
    /// at all.
    ///
    /// # Errors
    /// What differs, and the mend.
    pub async fn look(&self, store: &dyn MigratableStore) -> Result<bool, String> {
        let failed = |error: PortError| format!("{}: {}", self.setting, shown(&error));
        let salt = store.check_value(SALT).await.map_err(failed)?;
        let ring = store.check_value(RING).await.map_err(failed)?;
        self.compare(salt.as_deref(), ring.as_deref())?;
        Ok(salt.is_some() && ring.is_some())
    }

    fn compare(&self, salt: Option<&[u8]>, ring: Option<&[u8]>) -> Result<(), String> {
        let place = &self.place;
        let ours = check_values::salt_check(self.digests).map_err(|error| shown(&error))?;
        if salt.is_some_and(|salt| salt != ours) {
            return Err(format!(
                "EMAIL_SALT: {place} was written with another one, so that no e-mail in it could be found. Fix: set \
                 EMAIL_SALT to the value this database began with."
            ));
        }
        if ring.is_some_and(|ring| !check_values::verify_ring_check(self.cipher, ring)) {
            return Err(format!(
                "ENCRYPTION_KEY: {place} was written with another key, so that nothing in it could be read. Fix: add the \
                 key this database was written with to the ring, as in ENCRYPTION_KEY=2:NEW,1:OLD."
            ));
        }
        Ok(())
    }
}
