//! Cases outside every port's contract: files, restarts, later schema versions.

use crate::crypto::record_macs::RecordMacs;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::job::{JobSubject, Task};
use portcullis_core::model::login_throttle::{Admission, LoginSource};
use portcullis_core::model::quota::{Bucket, Quota};
use portcullis_core::model::sealed::{Sealed, WrappedKey};
use portcullis_core::model::stored_key::{KeyReplacement, RecordKind};
use portcullis_core::model::stored_record::{Collection, StoredJob};
use portcullis_core::model::user::{Registration, User};
use portcullis_core::ports::check_value_store::CheckValueStore as _;
use portcullis_core::ports::database::{Change, Database, UnitOfWork};
use portcullis_core::ports::key_rotation_store::KeyRotationStore as _;
use portcullis_testkit::samples::{self, LIFE, NOW, digest, job, job_id, realm, user_id};
use rusqlite::StatementStatus;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::job_text;
use crate::sqlite::{Sqlite, job_queue};

const LEASE: Duration = Duration::from_mins(1);

fn fresh() -> (TempDir, Arc<Sqlite>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("p.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap();
    (folder, Arc::new(store))
}

fn reopen(folder: &TempDir, store: Arc<Sqlite>) -> Arc<Sqlite> {
    drop(Arc::into_inner(store).expect("nobody else has it"));
    Arc::new(Sqlite::open(&folder.path().join("p.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap())
}

/// Commits one change that nothing refuses.
async fn change(store: &Sqlite, change: Change) {
    store.commit(UnitOfWork::of(change)).await.unwrap().unwrap();
}

async fn register(store: &Sqlite, registration: Registration) {
    change(store, Change::InsertRegistration { registration: Box::new(registration), limit: 1, now: NOW }).await;
}

/// Planning a statement costs twenty times what running it does. With statistics compiled in, SQLite would replan
/// whenever another value is bound.
#[tokio::test]
async fn a_statement_is_planned_once() {
    let (_folder, store) = fresh();
    let realm = realm("User1");
    for n in 0..40 {
        let (user, session) = (samples::user(&realm, n), samples::session(&realm, n, n));
        store.sessions().find_with_account(&realm, &session.id, &user.id).await.unwrap();
        change(&store, Change::InsertUser(Box::new(user.clone()))).await;
        change(&store, Change::InsertSession(Box::new(session.clone()))).await;
        assert!(store.sessions().find_with_account(&realm, &session.id, &user.id).await.unwrap().is_some());
    }
    for _ in 0..8 {
        let planned = store.readers.read("test", |db| {
            let statement = db.prepare_cached(&crate::sqlite::session_store::WITH_ACCOUNT)?;
            Ok((statement.get_status(StatementStatus::Run), statement.get_status(StatementStatus::RePrepare)))
        });
        let (run, planned_again) = planned.unwrap();
        assert!(run > 0 && planned_again == 0, "{planned_again} of {run}");
    }
}

/// A wrapped key that can be recognised among the other bytes of a file.
fn marked_key(n: u64, of: u8) -> WrappedKey {
    let mut bytes = format!("<KEY{of}{n:08}>").into_bytes();
    bytes.resize(65, 0xee);
    WrappedKey::from_bytes(bytes)
}

fn marked(n: u64) -> User {
    let mut user = samples::user(&realm("User1"), n);
    user.person.key = marked_key(n, 1);
    user
}

/// The numbers of all marked keys that are anywhere in the files of a folder.
fn found(folder: &Path, of: u8) -> BTreeSet<u64> {
    let mark = format!("<KEY{of}").into_bytes();
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let numbers = files.flat_map(|bytes| {
        let hits: Vec<u64> = bytes
            .windows(mark.len() + 8)
            .filter(|window| window.starts_with(&mark))
            .map(|window| String::from_utf8_lossy(&window[mark.len()..]).parse().unwrap())
            .collect();
        hits
    });
    numbers.collect()
}

/// Runs many at once, as requests do.
async fn all<F: Future<Output = ()> + Send + 'static>(tasks: impl Iterator<Item = F>) {
    tasks.collect::<JoinSet<_>>().join_all().await;
}

/// Accounts come, grow and go, so that pages split and join.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_is_in_no_file_however_the_pages_moved() {
    let (folder, store) = fresh();
    let insert = |n: u64| {
        let store = store.clone();
        async move { change(&store, Change::InsertUser(Box::new(marked(n)))).await }
    };
    let grow = |n: u64| {
        let store = store.clone();
        async move {
            let mut user = User { version: 2, ..marked(n) };
            user.previous_email = Some(Sealed::from_bytes(vec![0xcc; usize::try_from(n % 7).unwrap() * 60]));
            change(&store, Change::ReplaceUser { user: Box::new(user), expected: 1 }).await;
        }
    };
    let delete = |n: u64| {
        let store = store.clone();
        async move {
            let (realm, id) = (realm("User1"), user_id(n));
            let expected = if n.is_multiple_of(2) { 2 } else { 1 };
            change(&store, Change::DeleteUser { realm, id, expected }).await;
        }
    };
    for round in 0..30 {
        let (begin, end) = (round * 100, round * 100 + 100);
        all((begin..end).map(insert)).await;
        all((begin..end).step_by(2).map(grow)).await;
        if round > 0 {
            // two thirds of the last round, here and there
            all((begin - 100..begin).filter(|n| n % 3 > 0).map(delete)).await;
        }
    }
    let living: BTreeSet<u64> = (0..3000).filter(|n| *n >= 2900 || n % 3 == 0).collect();
    assert_eq!(found(folder.path(), 1), living);
    for n in living.iter().step_by(50) {
        let user = store.users().find(&realm("User1"), &user_id(*n)).await.unwrap().unwrap();
        assert_eq!(user.person.key, marked_key(*n, 1));
    }
}

#[tokio::test]
async fn a_rewrapped_key_leaves_no_old_key_in_the_file() {
    let (folder, store) = fresh();
    change(&store, Change::InsertUser(Box::new(marked(1)))).await;
    // the last one of another size
    let longer = WrappedKey::from_bytes([marked_key(3, 1).as_bytes(), &[1; 200]].concat());
    for new in [marked_key(2, 1), longer.clone()] {
        let expected = store.keys(RecordKind::Users, None, 1).await.unwrap().keys.remove(0);
        let replacement = KeyReplacement { expected, new };
        assert_eq!(store.replace_keys(RecordKind::Users, vec![replacement]).await.unwrap(), 1);
    }
    let user = store.users().find(&realm("User1"), &user_id(1)).await.unwrap().unwrap();
    assert_eq!((user.person.key, user.version), (longer, 1));
    let _store = reopen(&folder, store);
    assert_eq!(found(folder.path(), 1), BTreeSet::from([3]));
}

#[tokio::test]
async fn expired_registrations_go_in_batches_and_leave_no_key() {
    let (folder, store) = fresh();
    let registration = |n: u64| {
        let mut registration = samples::registration(&realm("User1"), n);
        registration.person.key = marked_key(n, 2);
        registration
    };
    for n in 0..1200 {
        let registration = Registration { expires_at: NOW + LIFE, ..registration(n) };
        register(&store, registration).await;
    }
    register(&store, Registration { expires_at: NOW + LIFE * 2, ..registration(5000) }).await;
    assert_eq!(store.registrations().purge_expired(NOW + LIFE).await.unwrap(), 1200);
    assert_eq!(store.registrations().purge_expired(NOW + LIFE).await.unwrap(), 0);
    assert_eq!(found(folder.path(), 2), BTreeSet::from([5000]));
}

#[tokio::test]
async fn an_acknowledged_write_survives_a_power_cut() {
    let (folder, store) = fresh();
    for n in 0..20 {
        change(&store, Change::InsertUser(Box::new(marked(n)))).await;
    }
    // the files as they are now, with the log: nothing was closed or checkpointed
    let after = tempfile::tempdir().unwrap();
    for name in ["p.db", "p.db-wal"] {
        fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    let reopened = Sqlite::open(&after.path().join("p.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap();
    for n in 0..20 {
        assert_eq!(reopened.users().find(&realm("User1"), &user_id(n)).await.unwrap(), Some(marked(n)));
    }
}

#[tokio::test]
async fn long_buckets_survive_a_restart_and_short_ones_do_not() {
    let (folder, store) = fresh();
    let day = Quota::new(3, Duration::from_hours(24));
    let minute = Quota::new(3, LEASE);
    let bucket = |operation| Bucket { realm: realm("User1"), operation, who: digest("address", 1) };
    for _ in 0..3 {
        assert!(store.limiter().take(&bucket("export"), &day, NOW).await.unwrap().allowed);
        assert!(store.limiter().take(&bucket("login"), &minute, NOW).await.unwrap().allowed);
    }
    let store = reopen(&folder, store);
    assert!(!store.limiter().take(&bucket("export"), &day, NOW).await.unwrap().allowed);
    assert!(store.limiter().take(&bucket("login"), &minute, NOW).await.unwrap().allowed);
    store.limiter().give_back(&bucket("export"), &day, NOW).await.unwrap();
    let store = reopen(&folder, store);
    assert!(store.limiter().take(&bucket("export"), &day, NOW).await.unwrap().allowed);
    assert!(!store.limiter().take(&bucket("export"), &day, NOW).await.unwrap().allowed);
}

#[tokio::test]
async fn jobs_of_a_later_version_do_not_block_others() {
    let (folder, store) = fresh();
    for n in [1, 2, 3, 4] {
        let jobs = vec![job(&realm("User1"), n, Task::Welcome(user_id(n)))];
        store.commit(UnitOfWork { jobs, ..UnitOfWork::default() }).await.unwrap().unwrap();
    }
    store.jobs().dead_letter(&job_id(4), "no reason", NOW).await.unwrap();
    store.jobs().dead_letter(&job_id(3), "no reason", NOW).await.unwrap();
    let of_the_future = |n, dead_at| {
        let stored = job_text::stored(&job(&realm("User1"), n, Task::Welcome(user_id(n))));
        StoredJob { task: "{\"kind\":\"of_the_future\"}".to_owned(), dead_at, ..stored }
    };
    let rewritten = [of_the_future(1, None), of_the_future(4, Some(NOW))];
    store.writer.write("t", move |db| rewritten.iter().try_for_each(|job| job_queue::put(db, job))).await.unwrap();
    let claimed = store.jobs().claim(NOW + LEASE, LEASE).await.unwrap();
    assert_eq!(claimed.map(|job| job.id), Some(job_id(2)), "the one behind it is claimed");
    assert_eq!(store.jobs().claim(NOW + LEASE, LEASE).await.unwrap(), None);
    let dead: Vec<_> =
        store.jobs().list_dead_letters(None, 10).await.unwrap().into_iter().map(|letter| letter.job.id).collect();
    assert_eq!(dead, [job_id(3)]);
    let store = reopen(&folder, store);
    let depth = store.jobs().depth().await.unwrap();
    assert_eq!((depth.waiting, depth.dead), (2, 2), "they are still there");
    let subject = JobSubject::Subject(user_id(1));
    change(&store, Change::ForgetJobs { realm: realm("User1"), subject }).await;
    assert_eq!(store.jobs().depth().await.unwrap().waiting, 1, "and can be forgotten");
}

#[tokio::test]
async fn events_are_on_the_disk_when_they_are_read() {
    let (folder, store) = fresh();
    let event = |millis| Event {
        at: NOW + Duration::from_millis(millis),
        realm: realm("User1"),
        kind: EventKind::LoggedIn,
        user: Some(user_id(1)),
        session: None,
        operator: None,
        detail: None,
    };
    for n in 0..300 {
        store.audit().record(event(n));
    }
    assert_eq!(store.audit().of_user(&realm("User1"), &user_id(1), 1).await.unwrap(), [event(299)]);
    store.audit().record(event(300));
    let store = reopen(&folder, store);
    assert_eq!(store.audit().of_user(&realm("User1"), &user_id(1), 1000).await.unwrap().len(), 301);
    assert_eq!(store.lost_events().load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_counted() {
    let (_folder, store) = fresh();
    store.writer.write("t", |db| db.execute_batch("ALTER TABLE audit RENAME TO elsewhere")).await.unwrap();
    store.audit().record(Event {
        at: NOW,
        realm: realm("User1"),
        kind: EventKind::LoggedIn,
        user: None,
        session: None,
        operator: None,
        detail: None,
    });
    store.writer.flush("t").await.unwrap();
    assert_eq!(store.lost_events().load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn counts_of_strangers_are_forgotten_and_those_of_known_addresses_stay() {
    let (_folder, store) = fresh();
    let realm = realm("User1");
    let from = |n| LoginSource { address: digest("address", n), networks: Vec::new() };
    let rows = |store: Arc<Sqlite>| async move {
        let count =
            |db: &crate::sqlite::db::Db| db.query_row("SELECT count(*) FROM login_counts", [], |row| row.get(0));
        store.writer.write::<i64>("t", count).await.unwrap()
    };
    for n in 0..20 {
        store.guard().admit(&realm, &digest("email", n), &from(1), NOW).await.unwrap();
    }
    assert_eq!(rows(store.clone()).await, 20);
    let later = NOW + Duration::from_hours(24 * 31);
    for _ in 0..4 {
        store.guard().admit(&realm, &digest("email", 99), &from(1), later).await.unwrap();
    }
    assert_eq!(rows(store.clone()).await, 1);
    for n in 0..40 {
        let now = later + Duration::from_millis(n);
        store.guard().succeeded(&realm, &digest("email", 99), &from(n), now).await.unwrap();
    }
    assert_eq!(rows(store.clone()).await, 1);
    for n in 100..140 {
        store
            .guard()
            .admit(&realm, &digest("email", n), &from(1), later + Duration::from_hours(24 * 365))
            .await
            .unwrap();
    }
    assert_eq!(rows(store.clone()).await, 41, "an e-mail with a known address is kept");
    let newest = store.guard().admit(&realm, &digest("email", 99), &from(39), later).await.unwrap();
    assert_eq!(newest, Admission::Admitted);
}

#[tokio::test]
async fn a_check_value_stays_what_it_was_first() {
    let (folder, store) = fresh();
    assert_eq!(store.check_value_or_insert("key", b"first").await.unwrap(), b"first");
    let store = reopen(&folder, store);
    assert_eq!(store.check_value_or_insert("key", b"second").await.unwrap(), b"first");
    assert!(store.size().unwrap() > 4096);
    assert_eq!(store.schema_version(), 15);
}

#[tokio::test]
async fn expired_sessions_go_by_whichever_end_comes_first() {
    let (_folder, store) = fresh();
    let (mut idle, mut absolute, living) = (
        samples::session(&realm("User1"), 1, 1),
        samples::session(&realm("User1"), 1, 2),
        samples::session(&realm("User1"), 1, 3),
    );
    idle.idle_expires_at = NOW + LEASE;
    absolute.expires_at = NOW + LEASE;
    for session in [&idle, &absolute, &living] {
        change(&store, Change::InsertSession(Box::new(session.clone()))).await;
    }
    assert_eq!(store.sessions().purge_expired(NOW + LEASE).await.unwrap(), 2);
    assert_eq!(store.sessions().list(&realm("User1"), &user_id(1)).await.unwrap(), [living]);
}

/// The store as each of its ports: several have methods of one name.
impl Sqlite {
    fn users(&self) -> &dyn portcullis_core::ports::user_store::UserStore {
        self
    }
    fn registrations(&self) -> &dyn portcullis_core::ports::registration_store::RegistrationStore {
        self
    }
    fn sessions(&self) -> &dyn portcullis_core::ports::session_store::SessionStore {
        self
    }
    fn jobs(&self) -> &dyn portcullis_core::ports::job_queue::JobQueue {
        self
    }
    fn audit(&self) -> &dyn portcullis_core::ports::audit_log::AuditLog {
        self
    }
    fn guard(&self) -> &dyn portcullis_core::ports::login_guard::LoginGuard {
        self
    }
    fn limiter(&self) -> &dyn portcullis_core::ports::rate_limiter::RateLimiter {
        self
    }
}

/// A data migration would leave a table behind that it does not know.
#[test]
fn every_table_is_migrated() {
    let (_folder, store) = fresh();
    let tables: BTreeSet<String> = store
        .readers
        .read("test", |db| {
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        })
        .unwrap();
    // keys go with the rows that name them; links and notes stay with the positions they prove
    let others = ["keys", "audit_notes"].map(str::to_owned);
    let known = Collection::ALL.iter().map(|collection| collection.as_str().to_owned()).chain(others);
    assert_eq!(tables, known.collect());
}
