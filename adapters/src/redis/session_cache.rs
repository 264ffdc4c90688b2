//! A cache of (session, account) in Redis, in front of MongoDB. It never decides: the reader's own clock bounds every entry.
//! A Redis that is away, slow, emptied, restored from an old file or written to by a stranger extends a session by no more
//! than the time to live and the difference of the clocks.
//!
//! - An entry is sealed, with the time before the database was read inside the seal. The reader ignores one that is older
//!   than the time to live, or more than a second in the future.
//! - A commit that changes an account or ends sessions writes a tombstone for the user, after the commit and before its
//!   answer. While the tombstone lives (a minute, twice the longest time to live that an instance may have), readers ask
//!   the database: a fill that read before the commit has expired by then.
//! - A fill never overwrites an entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, DataKey, Field, Sealed};
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};
use portcullis_core::ports::session_store::SessionStore;

use crate::mongodb::{session_store, user_store};
use crate::redis::Redis;

/// How long a tombstone lives: twice the longest time to live that a setting allows, so that it outlives a pending fill of
/// every instance.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);
/// How far in the future an entry may lie: the difference of two instances' clocks.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// The settings and ports of a cache.
pub struct CacheSettings {
    /// How long an entry may answer for the database; zero switches the cache off.
    pub time_to_live: Duration,
    /// Seals the entries.
    pub cipher: Arc<dyn FieldCipher>,
    /// Gives the key that seals them.
    pub digests: Arc<dyn KeyedDigest>,
    /// The reader's own clock.
    pub clock: Arc<dyn Clock>,
}

/// A [`SessionStore`] that answers from Redis where it may.
pub struct CachedSessions {
    redis: Arc<Redis>,
    store: Arc<dyn SessionStore>,
    settings: CacheSettings,
    hits: Arc<AtomicU64>,
}

fn entry_key(redis: &Redis, realm: &Realm, session: &SessionId) -> String {
    format!("{}session:{realm}/{session}", redis.prefix)
}

fn tombstone_key(redis: &Redis, realm: &Realm, user: &UserId) -> String {
    format!("{}tombstone:{realm}/{user}", redis.prefix)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl CachedSessions {
    /// A cache of what `store` answers.
    #[must_use]
    pub fn new(redis: Arc<Redis>, store: Arc<dyn SessionStore>, settings: CacheSettings) -> Self {
        Self { redis, store, settings, hits: Arc::default() }
    }

    /// How many lookups the cache has answered.
    #[must_use]
    pub fn hits(&self) -> Arc<AtomicU64> {
        self.hits.clone()
    }

    /// The entry, and whether it may be filled: not while a tombstone lives, nor while Redis is away.
    async fn lookup(&self, realm: &Realm, session: &SessionId, user: &UserId) -> (Option<(Session, User)>, bool) {
        let (entry, tombstone) = (entry_key(&self.redis, realm, session), tombstone_key(&self.redis, realm, user));
        let get = async move |mut connection| {
            let mut get = redis::cmd("MGET");
            get.arg(entry).arg(tombstone).query_async::<(Option<Vec<u8>>, Option<Vec<u8>>)>(&mut connection).await
        };
        match self.redis.call(get).await {
            Some((Some(entry), None)) => (self.read(realm, session, user, entry), true),
            Some((None, None)) => (None, true),
            _ => (None, false),
        }
    }

    /// The contents of an entry, if it is genuine and young enough by this instance's clock.
    fn read(&self, realm: &Realm, id: &SessionId, user: &UserId, entry: Vec<u8>) -> Option<(Session, User)> {
        let context = AadContext { realm, record: id.as_bytes(), field: Field::CachedSession };
        let opened = self.settings.cipher.open(&self.key(realm), context, &Sealed::from_bytes(entry)).ok()?;
        let document = Document::from_reader(opened.as_slice()).ok()?;
        let (at, now) = (Timestamp::from_millis(document.get_i64("at").ok()?), self.settings.clock.now());
        if at > now + CLOCK_TOLERANCE || now.since(at) >= self.settings.time_to_live {
            return None;
        }
        let session = session_store::parse(document.get_document("session").ok()?).ok()?.unverified();
        let account = user_store::parse(document.get_document("user").ok()?).ok()?.unverified();
        // the data key may have been wrapped under a new key since, and the old one may have left the ring
        let wrapping_key = self.settings.cipher.wrapping_key(&account.person.key)?;
        let readable = self.settings.cipher.ring().contains(&wrapping_key);
        let asked_for = session.id == *id && account.id == *user && account.realm == *realm;
        (readable && asked_for).then_some((session, account))
    }

    async fn fill(&self, at: Timestamp, session: &Session, user: &User) {
        let entry = doc! {
            "at": at.as_millis(),
            "session": session_store::print(session),
            "user": user_store::print(user),
        };
        let context = AadContext { realm: &session.realm, record: session.id.as_bytes(), field: Field::CachedSession };
        let Ok(entry) = entry.to_vec() else { return };
        let Ok(sealed) = self.settings.cipher.seal(&self.key(&session.realm), context, &entry) else { return };
        let key = entry_key(&self.redis, &session.realm, &session.id);
        let lifetime = milliseconds(self.settings.time_to_live);
        let set = async move |mut connection| {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(sealed.as_bytes()).arg("NX").arg("PX").arg(lifetime);
            set.query_async::<Option<String>>(&mut connection).await
        };
        let _ = self.redis.call(set).await;
    }

    fn key(&self, realm: &Realm) -> DataKey {
        DataKey::from_bytes(*self.settings.digests.digest(Domain::SessionCache, realm, &[]).as_bytes())
    }
}

#[async_trait]
impl SessionStore for CachedSessions {
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.store.find(realm, id).await
    }

    async fn find_with_account(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let (found, may_fill) = self.lookup(realm, session, user).await;
        if found.is_some() {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(found);
        }
        let at = self.settings.clock.now();
        let found = self.store.find_with_account(realm, session, user).await?;
        if let Some((session, user)) = found.as_ref().filter(|_| may_fill) {
            self.fill(at, session, user).await;
        }
        Ok(found)
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.store.list(realm, user).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.store.purge_expired(now).await
    }
}

/// A [`Database`] whose commits the other instances hear of: workers are woken, cached sessions are invalidated.
pub struct SharedDatabase {
    redis: Arc<Redis>,
    database: Arc<dyn Database>,
    invalidates: bool,
}

impl SharedDatabase {
    /// Commits to `database`. With `invalidates`, caches of its sessions exist on this or another instance.
    #[must_use]
    pub fn new(redis: Arc<Redis>, database: Arc<dyn Database>, invalidates: bool) -> Self {
        Self { redis, database, invalidates }
    }

    async fn write_tombstones(&self, users: Vec<(Realm, UserId)>) {
        if users.is_empty() || !self.invalidates {
            return;
        }
        let keys: Vec<String> = users.iter().map(|(realm, user)| tombstone_key(&self.redis, realm, user)).collect();
        let lifetime = milliseconds(TOMBSTONE_LIFETIME);
        let set = async move |mut connection| {
            let mut pipeline = redis::pipe();
            for key in keys {
                pipeline.cmd("SET").arg(key).arg("").arg("PX").arg(lifetime).ignore();
            }
            pipeline.query_async::<()>(&mut connection).await
        };
        let _ = self.redis.call(set).await;
    }
}

/// The users whose cached sessions a unit of work makes invalid.
fn invalidated(work: &UnitOfWork) -> Vec<(Realm, UserId)> {
    let user = |change: &Change| match change {
        Change::ReplaceUser { user, .. } => Some((user.realm.clone(), user.id)),
        Change::DeleteUser { realm, id, .. } => Some((realm.clone(), *id)),
        Change::EndSession { realm, user, .. } | Change::EndSessions { realm, user, .. } => {
            Some((realm.clone(), *user))
        }
        // a new session is not cached yet, and a rotated one keeps what decides
        Change::InsertSession(_)
        | Change::ReplaceSession { .. }
        | Change::InsertRegistration { .. }
        | Change::CountRegistrationFailure { .. }
        | Change::RemoveRegistration { .. }
        | Change::RemoveRegistrations { .. }
        | Change::ReindexRegistration { .. }
        | Change::InsertUser(_)
        | Change::PutToken(_)
        | Change::UseToken { .. }
        | Change::SetCode { .. }
        | Change::RemoveToken(_)
        | Change::RemoveTokens { .. }
        | Change::ForgetJobs { .. }
        | Change::RequeueJob { .. }
        | Change::ForgetLogins { .. }
        | Change::CheckReservation { .. }
        | Change::InsertUndo(_)
        | Change::LimitUndos { .. }
        | Change::ReindexUndo { .. }
        | Change::SetUndoToken { .. }
        | Change::UseUndo { .. }
        | Change::RemoveUndos { .. }
        | Change::InsertCredential(_)
        | Change::ReplaceCredential { .. }
        | Change::RemoveCredential { .. }
        | Change::InsertWebhook(_)
        | Change::ReplaceWebhook { .. }
        | Change::RemoveWebhook { .. } => None,
    };
    let mut users: Vec<(Realm, UserId)> = work.changes.iter().filter_map(user).collect();
    users.sort();
    users.dedup();
    users
}

#[async_trait]
impl Database for SharedDatabase {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let (users, enqueues) = (invalidated(&work), work.queues_jobs());
        let outcome = self.database.commit(work).await;
        // a failed commit may be stored all the same
        if !matches!(outcome, Ok(Err(_))) {
            self.write_tombstones(users).await;
        }
        if enqueues && matches!(outcome, Ok(Ok(_))) {
            self.redis.wake_workers().await;
        }
        outcome
    }
}
