//! Wrapping data keys anew, under the ring's first key: every key that a store holds, page by page, beside servers that
//! go on meanwhile. Each key is swapped where it still is the one that was read, so that nothing that was changed or
//! deleted is undone, and a call that was killed is gone on with by another. The check value is last: until it lies
//! under the new key too, no server starts without the old one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::model::sealed::{AadContext, Field};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::user_store::UserStore;

use crate::crypto::check_values;
use crate::data_migration::{Collection, MigratableStore};
use crate::messaging::dev_mailbox::shelf::SentMessageStore;
use crate::mongodb::MongoDb;
use crate::sqlite::Sqlite;

const PORT: &str = "rewrap";
/// Keys read at once.
const A_PAGE: u32 = 200;
/// Keys swapped at once.
const AT_ONCE: usize = 32;
/// How often everything is gone through before those who still wrap under an old key are given up on.
const PASSES: u32 = 5;
/// How often a store that fails is asked again, a little later each time.
const TRIES: u32 = 8;

/// The collections whose records hold keys. Registrations become accounts: they come first.
pub const HOLDERS: [Collection; 3] = [Collection::Registrations, Collection::Users, Collection::Outbox];

/// A store whose keys can be wrapped anew.
#[async_trait]
pub trait KeyRotationStore: UserStore + RegistrationStore + SentMessageStore + MigratableStore {
    /// Compare-and-swap of a check value. Whether it was the one that was seen.
    async fn swap_check(&self, name: &str, seen: &[u8], fresh: &[u8]) -> Result<bool, PortError>;

    /// Answers when the replaced keys are in no file of the store any more. MongoDB removes them in its own time.
    async fn settle_keys(&self) -> Result<(), PortError>;
}

#[async_trait]
impl KeyRotationStore for Sqlite {
    async fn swap_check(&self, name: &str, seen: &[u8], fresh: &[u8]) -> Result<bool, PortError> {
        self.swap_check_value(name, seen, fresh).await
    }

    async fn settle_keys(&self) -> Result<(), PortError> {
        self.settle().await
    }
}

#[async_trait]
impl KeyRotationStore for MongoDb {
    async fn swap_check(&self, name: &str, seen: &[u8], fresh: &[u8]) -> Result<bool, PortError> {
        self.swap_check_value(name, seen, fresh).await
    }

    async fn settle_keys(&self) -> Result<(), PortError> {
        Ok(())
    }
}

/// How many records' keys lie under which key, by collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// By the id of the wrapping key; `None` is what no version of ours wrapped.
    pub by_key: BTreeMap<Option<u32>, BTreeMap<&'static str, u64>>,
}

impl KeyUsage {
    fn count(&mut self, key: Option<u32>, of: Collection) {
        *self.by_key.entry(key).or_default().entry(of.as_str()).or_default() += 1;
    }

    /// Of all collections.
    #[must_use]
    pub fn under(&self, key: Option<u32>) -> u64 {
        self.by_key.get(&key).map_or(0, |counts| counts.values().sum())
    }
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Keys that were wrapped anew.
    pub rewrapped: u64,
    /// What the last pass found, once it was through.
    pub census: KeyUsage,
    /// Keys that their own key of the ring does not open, by its id. Nothing can be read with them.
    pub damaged: BTreeMap<u32, u64>,
}

impl Report {
    /// Whether everything lies under the first key of this ring, but for what no key of it opens.
    #[must_use]
    pub fn left_of(&self, ring: &[u32]) -> Vec<(u32, u64)> {
        let older = ring.iter().skip(1).map(|id| {
            let damaged = self.damaged.get(id).copied().unwrap_or_default();
            (*id, self.census.under(Some(*id)).saturating_sub(damaged))
        });
        older.filter(|(_, count)| *count > 0).collect()
    }
}

/// How far it is: so many of about so many in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub of: Collection,
    /// How many were looked at.
    pub done: u64,
    /// Of how many; a record that holds several keys counts once.
    pub all: u64,
}

/// A call.
pub struct KeyRotation<'a> {
    /// Whose keys.
    pub store: &'a dyn KeyRotationStore,
    /// The ring.
    pub cipher: &'a dyn FieldCipher,
    /// Hears of every step.
    pub told: &'a (dyn Fn(Step) + Send + Sync),
}

impl KeyRotation<'_> {
    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn census(&self) -> Result<KeyUsage, PortError> {
        let mut report = Report::default();
        self.pass(&mut report, false).await?;
        let check = self.again(|| self.store.check_value(check_values::RING)).await?;
        if let Some(wrapped) = check.as_deref().and_then(check_values::wrapped_key) {
            report.census.count(self.cipher.wrapping_key(&wrapped), Collection::Checks);
        }
        Ok(report.census)
    }

    /// Wraps everything anew that lies under an older key of the ring.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(&self) -> Result<Report, PortError> {
        let mut report = Report::default();
        for _ in 0..PASSES {
            (report.census, report.damaged) = Default::default();
            // who was changed meanwhile, or came, is seen by the next pass; the last one finds nothing to do
            if self.pass(&mut report, true).await? == 0 {
                break;
            }
        }
        if report.left_of(&self.cipher.ring()).is_empty() {
            self.again(|| self.store.settle_keys()).await?;
            report.rewrapped += u64::from(self.swap_check().await?);
        }
        Ok(report)
    }

    /// Everything once; how many swaps were tried.
    async fn pass(&self, report: &mut Report, swapping: bool) -> Result<u64, PortError> {
        let mut tried = 0;
        for of in HOLDERS {
            let all = self.again(|| self.store.count(of)).await?;
            let (mut done, mut behind) = (0, None::<String>);
            loop {
                let page = self.again(|| self.page(of, behind.clone())).await?;
                let looked_at = page.keys.len() as u64;
                let swaps: Vec<KeyReplacement> =
                    page.keys.into_iter().filter_map(|held| self.look(of, held, report, swapping)).collect();
                tried += swaps.len() as u64;
                done += looked_at - swaps.len() as u64;
                for some in swaps.chunks(AT_ONCE) {
                    report.rewrapped += self.swap(of, some).await?;
                    done += some.len() as u64;
                    (self.told)(Step { of, done, all: all.max(done) });
                }
                (self.told)(Step { of, done, all: all.max(done) });
                behind = page.behind;
                if behind.is_none() {
                    break;
                }
            }
        }
        Ok(tried)
    }

    /// Counts a key; what is to be swapped for it, if anything is.
    fn look(&self, of: Collection, held: StoredDataKey, report: &mut Report, swapping: bool) -> Option<KeyReplacement> {
        if held.key.as_bytes().iter().all(|byte| *byte == 0) {
            // of a record that is being deleted: its key has gone already
            return None;
        }
        let (id, ring) = (self.cipher.wrapping_key(&held.key), self.cipher.ring());
        report.census.count(id, of);
        let older = id.filter(|id| ring.iter().skip(1).any(|older| older == id))?;
        if !swapping {
            return None;
        }
        let place = AadContext { realm: &held.realm, record: &held.record, field: Field::Key };
        if let Ok(fresh) = self.cipher.rewrap(&held.key, place) {
            return Some(KeyReplacement { seen: held, fresh });
        }
        *report.damaged.entry(older).or_default() += 1;
        None
    }

    async fn page(&self, of: Collection, after: Option<String>) -> Result<KeyPage, PortError> {
        match of {
            Collection::Registrations => RegistrationStore::keys(self.store, after, A_PAGE).await,
            Collection::Users => UserStore::keys(self.store, after, A_PAGE).await,
            Collection::Outbox => SentMessageStore::keys(self.store, after, A_PAGE).await,
            _ => Err(PortError::new(PORT, "a collection without keys")),
        }
    }

    /// Swaps some, and waits as long as it took: people who log in meanwhile come first.
    async fn swap(&self, of: Collection, swaps: &[KeyReplacement]) -> Result<u64, PortError> {
        let began = Instant::now();
        let put = self.again(|| async move {
            match of {
                Collection::Registrations => RegistrationStore::swap_keys(self.store, swaps.to_vec()).await,
                Collection::Users => UserStore::swap_keys(self.store, swaps.to_vec()).await,
                Collection::Outbox => SentMessageStore::swap_keys(self.store, swaps.to_vec()).await,
                _ => Err(PortError::new(PORT, "a collection without keys")),
            }
        });
        let put = put.await?;
        tokio::time::sleep(began.elapsed()).await;
        Ok(put)
    }

    /// A store that a server is busy with may refuse, and one that loses its first server fails for a while. Everything
    /// here can be asked twice.
    async fn again<T, F: Future<Output = Result<T, PortError>>>(&self, ask: impl Fn() -> F) -> Result<T, PortError> {
        let mut wait = Duration::from_millis(50);
        for _ in 1..TRIES {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!("asked again in {wait:?}: {error}"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        ask().await
    }

    /// The value by which the database knows its ring. Whether it was swapped.
    async fn swap_check(&self) -> Result<bool, PortError> {
        let Some(seen) = self.again(|| self.store.check_value(check_values::RING)).await? else { return Ok(false) };
        if check_values::wrapped_key(&seen).is_some_and(|wrapped| self.cipher.is_newest(&wrapped)) {
            return Ok(false);
        }
        let fresh = check_values::ring_check(self.cipher)?;
        self.again(|| self.store.swap_check(check_values::RING, &seen, &fresh)).await
    }
}
