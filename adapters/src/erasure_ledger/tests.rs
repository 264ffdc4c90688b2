//! Deletions that are written down, ledgers that fail, and lines that are cut, foreign or under another key.

use std::os::unix::fs::MetadataExt as _;

use portcullis_core::ports::database::Change;
use portcullis_testkit::samples::{NOW, realm, user, user_id};
use portcullis_testkit::world::TestWorld;

use super::*;

fn macs(ids: &[u8]) -> Arc<RecordMacs> {
    let ring: Vec<(u32, [u8; 32])> = ids.iter().map(|id| (u32::from(*id), [*id; 32])).collect();
    RecordMacs::new(&ring).unwrap()
}

fn read(path: &Path, macs: &RecordMacs) -> Result<Erased, LedgerError> {
    let mut erased = Erased::default();
    erased.read(path, macs).map(|()| erased)
}

fn has(erased: &Erased, macs: &RecordMacs, n: u64) -> bool {
    erased.contains(macs, Erasure { realm: &realm("User1"), user: &user_id(n) })
}

fn entry(macs: &RecordMacs, n: u64) -> String {
    line(macs, Erasure { realm: &realm("User1"), user: &user_id(n) }, NOW)
}

#[tokio::test]
async fn a_deletion_is_in_the_file_when_it_is_answered_and_a_refused_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (path, macs, world) = (folder.path().join("ledger"), macs(&[1]), TestWorld::new(1));
    let ledger = ErasureLedger::open(&path, &macs).unwrap();
    let database = LedgerDatabase::new(ledger, world.ports().database);
    for n in [1, 2] {
        let insert = Change::InsertUser(Box::new(user(&realm("User1"), n)));
        database.commit(UnitOfWork::of(insert)).await.unwrap().unwrap();
    }
    let delete = |expected| Change::DeleteUser { realm: realm("User1"), id: user_id(1), expected };
    assert!(database.commit(UnitOfWork::of(delete(9))).await.unwrap().is_err());
    assert!(read(&path, &macs).unwrap().is_empty());
    database.commit(UnitOfWork::of(delete(1))).await.unwrap().unwrap();
    let erased = read(&path, &macs).unwrap();
    assert_eq!((has(&erased, &macs, 1), has(&erased, &macs, 2), erased.len()), (true, false, 1));
    let other = Erasure { realm: &realm("User2"), user: &user_id(1) };
    assert!(!erased.contains(&macs, other), "the id of another realm");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&hex::encode(user_id(1).as_bytes())), "{text}");
}

#[tokio::test]
async fn a_ledger_that_fails_does_not_deny_a_deletion_and_the_next_start_adds_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, macs, world) = (folder.path().join("ledger"), macs(&[1]), TestWorld::new(1));
    let database = world.ports().database;
    let insert = Change::InsertUser(Box::new(user(&realm("User1"), 1)));
    database.commit(UnitOfWork::of(insert)).await.unwrap().unwrap();
    let ledger = ErasureLedger::open(&path, &macs).unwrap();
    let failures = ledger.failures();
    // a folder in its place can't be written, by any user
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let event = portcullis_core::model::event::Event {
        at: NOW,
        realm: realm("User1"),
        kind: EventKind::AccountDeleted,
        user: Some(user_id(1)),
        session: None,
        operator: None,
        detail: None,
    };
    let delete = Change::DeleteUser { realm: realm("User1"), id: user_id(1), expected: 1 };
    let work = UnitOfWork { events: vec![event], ..UnitOfWork::of(delete) };
    LedgerDatabase::new(ledger, database).commit(work).await.unwrap().unwrap();
    assert_eq!(failures.load(Ordering::Relaxed), 1);
    fs::remove_dir(&path).unwrap();
    let ledger = ErasureLedger::open(&path, &macs).unwrap();
    let realms = [realm("User1"), realm("User2")];
    assert_eq!(ledger.catch_up(&*world.audit, &realms).await.unwrap(), 1);
    assert!(has(&read(&path, &macs).unwrap(), &macs, 1));
    assert_eq!(ledger.catch_up(&*world.audit, &realms).await.unwrap(), 0, "once");
    // a line of a later deletion does not hide that an earlier one is missing
    let later = Timestamp::from_millis(NOW.as_millis() + 7 * 86_400_000);
    let other = Erasure { realm: &realm("User1"), user: &user_id(2) };
    fs::write(&path, line(&macs, other, later)).unwrap();
    assert_eq!(ledger.catch_up(&*world.audit, &realms).await.unwrap(), 1);
}

#[test]
fn a_cut_line_is_left_out_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (path, macs) = (folder.path().join("ledger"), macs(&[1]));
    fs::write(&path, format!("{}{}", entry(&macs, 1), &entry(&macs, 2)[..20])).unwrap();
    assert_eq!(read(&path, &macs).unwrap().len(), 1);
    ErasureLedger::open(&path, &macs).unwrap().add(&entry(&macs, 3)).unwrap();
    let erased = read(&path, &macs).unwrap();
    assert_eq!([1, 2, 3].map(|n| has(&erased, &macs, n)), [true, false, true]);
}

#[test]
fn a_line_counts_under_each_key_of_the_ring_and_an_unknown_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    fs::write(&path, format!("{}{}", entry(&macs(&[1]), 1), entry(&macs(&[2, 1]), 2))).unwrap();
    let both = macs(&[3, 2, 1]);
    let erased = read(&path, &both).unwrap();
    assert!(has(&erased, &both, 1) && has(&erased, &both, 2) && !has(&erased, &both, 3));
    let refused = read(&path, &macs(&[2])).err().unwrap().to_string();
    assert!(refused.contains("line 1 is under encryption key 1") && refused.contains("Fix: add 1:KEY"), "{refused}");
}

#[test]
fn a_line_that_nobody_wrote_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, macs) = (folder.path().join("ledger"), macs(&[1]));
    let good = entry(&macs, 1);
    for bad in ["v2 1 00", "v1 x 00", "v1 1 00", &good.trim_end()[..good.len() - 3], "usr_00"] {
        fs::write(&path, format!("{good}{bad}\n")).unwrap();
        let refused = read(&path, &macs).err().unwrap().to_string();
        assert!(refused.contains("line 2 is no line of an erasure ledger"), "{bad}: {refused}");
    }
    assert!(read(&folder.path().join("missing"), &macs).is_err());
}
