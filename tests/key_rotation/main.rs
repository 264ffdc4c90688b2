//! Key rotation on SQLite: the result for each kind of key, for a store that fails, and for users who log in
//! while a master key is changed. `tests/deployment` does the last on MongoDB.

use portcullis_tests::record_macs;
use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_adapters::crypto::check_values;
use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::key_rotation::{KeyRotation, Report};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::sealed::{AadContext, Field, WrappedKey};
use portcullis_core::model::stored_key::RecordKind;
use portcullis_core::model::user::User;
use portcullis_core::ports::check_value_store::CheckValueStore as _;
use portcullis_core::ports::database::{Change, Database, UnitOfWork};
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::key_rotation_store::KeyRotationStore as _;
use portcullis_core::ports::user_store::UserStore;
use portcullis_testkit::samples::{realm, user, user_id};
use portcullis_tests::process::call;
use portcullis_tests::{index_rotation, rotation};

fn cipher(ring: &[u8]) -> AesGcmCipher {
    let ring: Vec<(u32, [u8; 32])> = ring.iter().map(|id| (u32::from(*id), [*id; 32])).collect();
    AesGcmCipher::new(&ring, Arc::new(OsRandomness)).unwrap()
}

/// The n-th user, with a key under the first one of a ring.
fn under(cipher: &AesGcmCipher, n: u64) -> User {
    let mut user = user(&realm("User1"), n);
    let place = AadContext { realm: &user.realm, record: user.id.as_bytes(), field: Field::Key };
    user.person.key = cipher.new_key(place).unwrap().1;
    user
}

async fn key_of(store: &Sqlite, n: u64) -> WrappedKey {
    UserStore::find(store, &realm("User1"), &user_id(n)).await.unwrap().unwrap().person.key
}

async fn rewrapped(store: &Sqlite, cipher: &AesGcmCipher) -> Report {
    KeyRotation { store, cipher, on_step: &|_| {} }.run().await.unwrap()
}

async fn commit(store: &Sqlite, change: Change) {
    store.commit(UnitOfWork::of(change)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_key_fares_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("p.db"), &record_macs::of_ring(&[2, 1])).unwrap();
    let (old, both) = (cipher(&[1]), cipher(&[2, 1]));
    let check = check_values::ring_check(&old).unwrap();
    store.check_value_or_insert(check_values::RING, &check).await.unwrap();
    let damaged = |mut user: User| {
        let mut bytes = user.person.key.as_bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        user.person.key = WrappedKey::from_bytes(bytes);
        user
    };
    let with = |n, bytes: &[u8]| {
        let mut user = user(&realm("User1"), n);
        user.person.key = WrappedKey::from_bytes(bytes.to_vec());
        user
    };
    let nowhere = under(&cipher(&[9]), 4);
    let all =
        [under(&old, 1), under(&both, 2), damaged(under(&old, 3)), nowhere, with(5, &[0; 64]), with(6, b"no key")];
    for user in &all {
        commit(&store, Change::InsertUser(Box::new(user.clone()))).await;
    }
    for rewrapped_now in [2, 0] {
        let report = rewrapped(&store, &both).await;
        assert_eq!(report.rewrapped, rewrapped_now, "one user, and the check value");
        assert_eq!(report.damaged, BTreeMap::from([(1, 1)]));
        let of = |id| report.usage.under(id);
        assert_eq!((of(Some(2)), of(Some(1)), of(Some(9)), of(None)), (2, 1, 1, 1), "{:?}", report.usage);
        assert_eq!(report.left_under_older_keys(&both.ring()), Vec::new());
    }
    // the same data key as before, and no other account's was changed
    let place = AadContext { realm: &all[0].realm, record: all[0].id.as_bytes(), field: Field::Key };
    let (before, after) = (&all[0].person.key, key_of(&store, 1).await);
    let opened = cipher(&[2]).unwrap(&after, place).unwrap();
    assert_eq!(opened.as_bytes(), old.unwrap(before, place).unwrap().as_bytes());
    for user in &all[1..] {
        let kept = UserStore::find(&store, &user.realm, &user.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(user));
    }
    let check = store.check_value(check_values::RING).await.unwrap().unwrap();
    assert!(check_values::verify_ring_check(&cipher(&[2]), &check) && !check_values::verify_ring_check(&old, &check));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_beside_it_stays_one_and_no_old_key_stays_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.db");
    // the server's, and the one of the command line
    let (server, beside) = (
        Sqlite::open(&path, &record_macs::of_ring(&[2, 1])).unwrap(),
        Sqlite::open_beside(&path, &record_macs::of_ring(&[2, 1])).unwrap(),
    );
    let (old, both) = (cipher(&[1]), cipher(&[2, 1]));
    let users: Vec<User> = (0..1_200).map(|n| under(&old, n)).collect();
    for user in &users {
        commit(&server, Change::InsertUser(Box::new(user.clone()))).await;
    }
    let deleting = async {
        for user in users.iter().skip(1).step_by(40) {
            let (realm, id) = (user.realm.clone(), user.id);
            commit(&server, Change::DeleteUser { realm, id, expected: user.version }).await;
        }
    };
    let (report, ()) = tokio::join!(rewrapped(&beside, &both), deleting);
    assert_eq!(report.left_under_older_keys(&both.ring()), Vec::new());
    assert_eq!(server.count_keys(RecordKind::Users).await.unwrap(), 1_170);
    drop((server, beside));
    let bytes: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    // format and id of an old wrapping, and what only this one has
    for user in users.iter().step_by(97) {
        let key = user.person.key.as_bytes();
        assert!(!bytes.windows(24).any(|window| window == &key[..24]), "an old wrapping is in a file still");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_account_is_lost_and_no_deleted_one_comes_back() {
    rotation::no_account_is_lost_and_no_deleted_one_comes_back(&[], 2_200, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_found_and_none_is_taken_twice() {
    index_rotation::every_address_is_found_and_none_is_taken_twice(&[], 2_200, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_it_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["keys", "status"], ["keys", "rewrap"], ["keys", "reindex"]] {
        let (code, _, error) = call(folder.path(), &[], &arguments);
        assert!(code == 1 && error.contains("does not exist. Fix: "), "{error}");
    }
    assert!(!folder.path().join("data/portcullis.db").exists());
    let (code, out, _) = call(folder.path(), &[], &["keys", "generate"]);
    assert!(code == 0 && out.contains("ENCRYPTION_KEY"), "{out}");
    assert_eq!(call(folder.path(), &[], &["keys"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_signed_again_and_a_forged_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.db");
    let (old, both) = (cipher(&[1]), cipher(&[2, 1]));
    let before = Sqlite::open(&path, &record_macs::of_ring(&[1])).unwrap();
    let check = check_values::ring_check(&old).unwrap();
    before.check_value_or_insert(check_values::RING, &check).await.unwrap();
    for n in 0..450 {
        commit(&before, Change::InsertUser(Box::new(under(&old, n)))).await;
    }
    drop(before);
    let forged = "UPDATE users SET mfa_sms = 1 WHERE rowid = 7";
    rusqlite::Connection::open(&path).unwrap().execute(forged, []).unwrap();
    let store = Sqlite::open(&path, &record_macs::of_ring(&[2, 1])).unwrap();
    let report = rewrapped(&store, &both).await;
    assert_eq!((report.signed, report.damaged.clone()), (449, BTreeMap::from([(1, 1)])));
    assert_eq!((store.count_macs(1).await.unwrap(), store.count_macs(2).await.unwrap()), (1, 449));
    assert_eq!(report.left_under_older_keys(&both.ring()), Vec::new());
    drop(store);
    let after = Sqlite::open(&path, &record_macs::of_ring(&[2])).unwrap();
    let mut readable = 0;
    for n in 0..450 {
        readable += u32::from(UserStore::find(&after, &realm("User1"), &user_id(n)).await.is_ok());
    }
    assert_eq!(readable, 449);
}
