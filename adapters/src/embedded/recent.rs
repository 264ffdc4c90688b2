//! Callers of a moment ago, in memory for as long as they certainly are what the file says: a client that asks again is
//! not looked up again, and what a change has ended is never answered, whichever process made it.
//!
//! SQLite keeps an index of its log in memory that all processes share, and every commit changes the head of it. What is
//! kept here counts only while that head is the one the writing thread saw last; to know, a request reads 48 octets.
//! Which rows its own commits changed the thread hears from SQLite; where another process committed, everything goes.
//! Only sealed values are kept, and what was erased goes before the erasure is answered.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::IntoRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::{io, iter, mem};

use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;
use rusqlite::Connection;

use crate::generations::Generations;

/// How long the head of the index is, in octets.
const HEAD: usize = 48;
/// Most callers of a generation; there are two.
const MOST: usize = 2048;
/// Rows share their marks by number: who shares one with a row that was changed is looked up again.
const MARKS: usize = 8192;
/// What a caller is read from. Nothing may `REPLACE INTO` these: SQLite does not tell of rows that go that way.
pub const TABLES: [&str; 3] = ["sessions", "users", "keys"];

/// The numbers of a caller's rows, a table each.
pub type Rows = [i64; TABLES.len()];
/// How often these rows may have been changed.
type Marks = [u32; TABLES.len()];
type Head = [u8; HEAD];

/// How far the writing thread has seen.
struct Seen {
    head: Head,
    /// SQLite's number for what other processes committed.
    theirs: i64,
    /// Goes up when anything may have been changed.
    epoch: u64,
}

struct Kept {
    rows: Rows,
    /// Once it was read with its rows known before.
    caller: Option<Box<Known>>,
}

struct Known {
    marks: Marks,
    epoch: u64,
    session: Session,
    user: User,
}

/// What was known of a caller's rows before they are read.
pub struct Before(Option<(Rows, Marks, u64)>);

/// The callers.
pub struct Recent {
    /// Closed after every connection: closing it lets go of SQLite's locks on it.
    index: File,
    seen: RwLock<Seen>,
    marks: Vec<AtomicU32>,
    /// The marks of rows that the transaction at hand changes.
    changed: Mutex<HashSet<usize>>,
    kept: RwLock<Generations<SessionId, Kept>>,
    behind: AtomicBool,
}

fn mark(table: usize, row: i64) -> usize {
    // neighbours in one table are not neighbours of another's
    let stirred = row.unsigned_abs().wrapping_mul(3).wrapping_add(table as u64);
    usize::try_from(stirred % MARKS as u64).unwrap_or_default()
}

impl Recent {
    /// Of a database that this connection is to write to.
    ///
    /// # Errors
    /// When a commit cannot be seen in what should be the index of its log.
    pub fn of(database: &Path, connection: &Connection) -> io::Result<Self> {
        // as SQLite does: the index lies beside the file, not beside what points to it
        let mut name = fs::canonicalize(database)?.into_os_string();
        name.push("-shm");
        let recent = Self {
            index: File::open(name)?,
            seen: RwLock::new(Seen { head: [0; HEAD], theirs: -1, epoch: 0 }),
            marks: iter::repeat_with(AtomicU32::default).take(MARKS).collect(),
            changed: Mutex::default(),
            kept: RwLock::new(Generations::of(MOST)),
            behind: AtomicBool::new(false),
        };
        let before = recent.head();
        let commit = || {
            let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        };
        if let Err(error) = commit() {
            tracing::debug!("callers are not kept in memory: {error}");
        }
        if before.is_some() && recent.head().is_some_and(|after| Some(after) != before) {
            return Ok(recent);
        }
        // never closed: SQLite's locks on it would go
        let _ = recent.index.into_raw_fd();
        Err(io::Error::other("a commit is not seen in the index of its log"))
    }

    /// The caller, if it is certain that the file has the same.
    pub fn find(&self, realm: &Realm, session: &SessionId, user: &UserId) -> Option<(Session, User)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let Kept { rows, caller } = kept.get(session)?;
        let caller = caller.as_ref()?;
        let theirs = caller.session.realm == *realm && caller.user.id == *user;
        let same = theirs && self.epoch_in_step() == Some(caller.epoch) && self.marks_of(rows) == caller.marks;
        same.then(|| (caller.session.clone(), caller.user.clone()))
    }

    /// To be called before the caller is read.
    pub fn before(&self, session: &SessionId) -> Before {
        let epoch = self.epoch();
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Before(kept.get(session).map(|kept| (kept.rows, self.marks_of(&kept.rows), epoch)))
    }

    /// Keeps what was read after `before`. The first time only its rows: what happened to them meanwhile nobody saw.
    pub fn keep(&self, before: &Before, rows: Rows, session: &Session, user: &User) {
        let known = before.0.filter(|(before, ..)| *before == rows);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        // what was changed in between must not come back after it was let go of
        let known = known.filter(|(rows, marks, epoch)| *epoch == self.epoch() && *marks == self.marks_of(rows));
        let caller = known
            .map(|(_, marks, epoch)| Box::new(Known { marks, epoch, session: session.clone(), user: user.clone() }));
        kept.keep(session.id, Kept { rows, caller });
    }

    /// Whether the writing thread should look, and nobody has told it so yet.
    pub fn falls_behind(&self) -> bool {
        self.epoch_in_step().is_none() && !self.behind.swap(true, Ordering::SeqCst)
    }

    /// A row was changed, in a transaction that has not ended.
    pub fn changes(&self, table: &str, row: i64) {
        if let Some(table) = TABLES.iter().position(|known| *known == table) {
            self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(mark(table, row));
        }
    }

    /// To be called by the writing thread with its connection, after every transaction and before it is told.
    pub fn catch_up(&self, connection: &Connection) {
        self.behind.store(false, Ordering::SeqCst);
        let changed = mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        for mark in changed.iter().filter_map(|mark| self.marks.get(*mark)) {
            mark.fetch_add(1, Ordering::SeqCst);
        }
        let before = self.head();
        let theirs = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut version| version.query_row([], |row| row.get::<_, i64>(0)));
        // if another process commits right now, nothing is in step until the next look
        if let (Some(head), Ok(theirs)) = (before, theirs)
            && self.head() == Some(head)
        {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            let others = seen.theirs != theirs;
            *seen = Seen { head, theirs, epoch: seen.epoch + u64::from(others) };
            drop(seen);
            if others {
                self.forget_changed();
            }
        }
    }

    /// Lets go of everything that may have been changed.
    pub fn forget_changed(&self) {
        let epoch = self.epoch();
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|Kept { rows, caller }| {
            caller.as_ref().is_some_and(|caller| caller.epoch == epoch && caller.marks == self.marks_of(rows))
        });
    }

    fn epoch(&self) -> u64 {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).epoch
    }

    fn head(&self) -> Option<Head> {
        let mut head = [0; HEAD];
        self.index.read_exact_at(&mut head, 0).ok().map(|()| head)
    }

    /// The epoch, while nobody has committed anything that the writing thread has not seen.
    fn epoch_in_step(&self) -> Option<u64> {
        let head = self.head()?;
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        (seen.head == head).then_some(seen.epoch)
    }

    fn marks_of(&self, rows: &Rows) -> Marks {
        let mut table = 0..;
        rows.map(|row| {
            let at = mark(table.next().unwrap_or_default(), row);
            self.marks.get(at).map_or(0, |mark| mark.load(Ordering::SeqCst))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_core::model::held_key::{HeldKey, KeySwap};
    use portcullis_core::model::sealed::WrappedKey;
    use portcullis_core::ports::caller_store::CallerStore;
    use portcullis_core::ports::session_store::{RotateSession, SessionStore};
    use portcullis_core::ports::user_store::{ReplaceUser, UserStore};
    use portcullis_core::testing::samples::{self, LIFE, NOW, realm};
    use tempfile::TempDir;

    use super::*;
    use crate::embedded::Embedded;
    use crate::transfer::{Collection, Movable as _};

    fn fresh() -> (TempDir, Arc<Embedded>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(&folder.path().join("p.db")).unwrap();
        (folder, Arc::new(store))
    }

    fn kept(store: &Embedded, n: u64) -> Option<(Session, User)> {
        let (user, session) = (samples::user(&realm("User1"), n), samples::session(&realm("User1"), n, n));
        store.recent.as_ref().unwrap().find(&user.realm, &session.id, &user.id)
    }

    async fn found(store: &Embedded, n: u64) -> Option<(Session, User)> {
        let (user, session) = (samples::user(&realm("User1"), n), samples::session(&realm("User1"), n, n));
        store.find_caller(&user.realm, &session.id, &user.id).await.unwrap()
    }

    /// A caller who is there, and is kept.
    async fn known(store: &Embedded, n: u64) -> (Session, User) {
        let (user, session) = (samples::user(&realm("User1"), n), samples::session(&realm("User1"), n, n));
        UserStore::insert(store, user.clone()).await.unwrap();
        SessionStore::insert(store, session.clone()).await.unwrap();
        asked_until_kept(store, n).await;
        (session, user)
    }

    async fn asked_until_kept(store: &Embedded, n: u64) {
        for _ in 0..1000 {
            assert!(found(store, n).await.is_some());
            if kept(store, n).is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("who asks again and again is never kept");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_again_is_known_and_nobody_else_is() {
        let (_folder, store) = fresh();
        let (session, user) = known(&store, 1).await;
        assert_eq!(kept(&store, 1).unwrap(), (session.clone(), user.clone()));
        // others come and go
        known(&store, 2).await;
        assert!(
            SessionStore::end(&*store, &realm("User1"), &samples::session(&realm("User1"), 2, 2).id).await.unwrap()
        );
        assert!(kept(&store, 1).is_some() && kept(&store, 2).is_none());
        let recent = store.recent.as_ref().unwrap();
        let (here, there) = (realm("User1"), realm("User2"));
        assert!(recent.find(&there, &session.id, &user.id).is_none());
        assert!(recent.find(&here, &session.id, &samples::user(&here, 2).id).is_none());
        assert!(store.find_caller(&there, &session.id, &user.id).await.unwrap().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_change_is_seen_at_once() {
        let (_folder, store) = fresh();
        let here = realm("User1");
        let (session, user) = known(&store, 1).await;
        let rotated = Session { version: session.version + 1, generation: 7, ..session.clone() };
        assert_eq!(store.rotate(rotated.clone(), session.version).await.unwrap(), RotateSession::Rotated);
        assert_eq!(found(&store, 1).await.unwrap().0, rotated);

        asked_until_kept(&store, 1).await;
        let disabled = User { version: user.version + 1, disabled: true, ..user.clone() };
        assert_eq!(UserStore::replace(&*store, disabled.clone(), user.version).await.unwrap(), ReplaceUser::Replaced);
        assert_eq!(found(&store, 1).await.unwrap().1, disabled);

        asked_until_kept(&store, 1).await;
        let fresh = WrappedKey::from_bytes(vec![9; user.person.key.as_bytes().len()]);
        let seen = HeldKey { realm: here.clone(), record: *user.id.as_bytes(), part: 0, key: user.person.key.clone() };
        assert_eq!(UserStore::swap_keys(&*store, vec![KeySwap { seen, fresh: fresh.clone() }]).await.unwrap(), 1);
        assert_eq!(found(&store, 1).await.unwrap().1.person.key, fresh);

        asked_until_kept(&store, 1).await;
        assert_eq!(SessionStore::end_all(&*store, &here, &user.id, None).await.unwrap(), 1);
        assert!(found(&store, 1).await.is_none());
        let (_, user) = known(&store, 2).await;
        assert!(UserStore::delete(&*store, &here, &user.id).await.unwrap());
        assert!(found(&store, 2).await.is_none());
        known(&store, 3).await;
        assert!(SessionStore::purge_expired(&*store, NOW + LIFE * 1000).await.unwrap() > 0);
        assert!(found(&store, 3).await.is_none());
        known(&store, 4).await;
        store.clear(Collection::Sessions).await.unwrap();
        assert!(found(&store, 4).await.is_none());
        known(&store, 5).await;
        store.clear(Collection::Users).await.unwrap();
        assert!(found(&store, 5).await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_erased_is_not_in_memory_either() {
        let (_folder, store) = fresh();
        let (session, user) = known(&store, 1).await;
        known(&store, 2).await;
        assert!(UserStore::delete(&*store, &user.realm, &user.id).await.unwrap());
        let kept = store.recent.as_ref().unwrap().kept.read().unwrap();
        assert!(kept.get(&session.id).is_none());
        assert!(kept.get(&samples::session(&user.realm, 2, 2).id).is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (_folder, store) = fresh();
        let (session, user) = known(&store, 1).await;
        let recent = store.recent.as_ref().unwrap();
        let before = recent.before(&session.id);
        let (rows, ..) = store.read_caller(&user.realm, &session.id, &user.id).unwrap().unwrap();
        assert!(UserStore::delete(&*store, &user.realm, &user.id).await.unwrap());
        recent.keep(&before, rows, &session, &user);
        let kept = recent.kept.read().unwrap();
        assert!(kept.get(&session.id).is_none_or(|kept| kept.caller.is_none()), "it is in memory again");
    }

    /// SQLite's index lies beside the file that a link points to; another one, left there, says nothing.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_link_to_the_database_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("p.db"), folder.path().join("link.db"));
        drop(Embedded::open(&file).unwrap());
        std::os::unix::fs::symlink(&file, &link).unwrap();
        fs::write(folder.path().join("link.db-shm"), vec![7; 32768]).unwrap();
        let store = Embedded::open(&link).unwrap();
        let (_, user) = known(&store, 1).await;
        let beside = Embedded::open_beside(&link).unwrap();
        let next = User { version: user.version + 1, disabled: true, ..user.clone() };
        assert_eq!(UserStore::replace(&beside, next.clone(), user.version).await.unwrap(), ReplaceUser::Replaced);
        assert_eq!(found(&store, 1).await.unwrap().1, next);
    }

    /// Another file than the one that SQLite has.
    #[test]
    fn an_index_in_which_no_commit_is_seen_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("p.db"), folder.path().join("other.db"));
        let connection = Connection::open(&file).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n)").unwrap();
        assert!(Recent::of(&other, &connection).is_err(), "there is none");
        fs::write(&other, []).unwrap();
        fs::write(folder.path().join("other.db-shm"), vec![7; 32768]).unwrap();
        assert!(Recent::of(&other, &connection).is_err());
        assert!(Recent::of(&file, &connection).is_ok());
    }

    /// As a command does beside a server.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_change_of_another_process_is_seen_at_once_too() {
        let (folder, store) = fresh();
        let beside = Embedded::open_beside(&folder.path().join("p.db")).unwrap();
        assert!(beside.recent.is_none());
        let (_, mut user) = known(&store, 1).await;
        for n in 0..200 {
            let next = User { version: user.version + 1, disabled: !user.disabled, ..user.clone() };
            assert_eq!(UserStore::replace(&beside, next.clone(), user.version).await.unwrap(), ReplaceUser::Replaced);
            if n % 2 == 0 {
                // the writing thread has seen the change before anyone asks
                SessionStore::insert(&*store, samples::session(&realm("User1"), 1, 10 + n)).await.unwrap();
            }
            assert_eq!(found(&store, 1).await.unwrap().1, next);
            user = next;
            asked_until_kept(&store, 1).await;
        }
    }

    /// Sessions are opened, asked for by many, and ended, here and beside: once the end is answered, they are gone.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_session_outlives_its_end_however_many_ask() {
        let (folder, store) = fresh();
        let here = realm("User1");
        UserStore::insert(&*store, samples::user(&here, 1)).await.unwrap();
        let beside = Arc::new(Embedded::open_beside(&folder.path().join("p.db")).unwrap());
        let stories = (0..4).map(|lane| {
            let (store, beside, here) = (store.clone(), beside.clone(), here.clone());
            tokio::spawn(async move {
                let user = samples::user(&here, 1).id;
                let mut kept = 0;
                for n in 0..100 {
                    let session = samples::session(&here, 1, lane * 1000 + n);
                    SessionStore::insert(&*store, session.clone()).await.unwrap();
                    let asking = {
                        let (store, here, id) = (store.clone(), here.clone(), session.id);
                        tokio::spawn(async move {
                            while store.find_caller(&here, &id, &user).await.unwrap().is_some() {
                                tokio::task::yield_now().await;
                            }
                        })
                    };
                    for _ in 0..5 {
                        assert!(store.find_caller(&here, &session.id, &user).await.unwrap().is_some());
                        tokio::task::yield_now().await;
                    }
                    kept += u32::from(store.recent.as_ref().unwrap().find(&here, &session.id, &user).is_some());
                    let ender = if n % 10 == 0 { &beside } else { &store };
                    assert!(SessionStore::end(&**ender, &here, &session.id).await.unwrap());
                    assert!(store.find_caller(&here, &session.id, &user).await.unwrap().is_none(), "{lane} {n}");
                    asking.await.unwrap();
                }
                kept
            })
        });
        let mut kept = 0;
        for story in stories.collect::<Vec<_>>() {
            kept += story.await.unwrap();
        }
        assert!(kept > 0, "nobody was ever kept: this tests nothing");
    }

    #[test]
    fn no_statement_replaces_rows_that_sqlite_would_not_tell_of() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/embedded");
        for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
            let text = std::fs::read_to_string(file.path()).unwrap();
            for table in TABLES {
                assert!(!text.contains(&format!("REPLACE INTO {table}")), "{table} in {}", file.path().display());
            }
        }
    }
}
