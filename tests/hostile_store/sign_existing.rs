//! A database of a version before MACs: nothing in it is believed, until its operator has it signed.

use std::path::Path;

use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, Field, Sealed};
use portcullis_core::ports::field_cipher::FieldCipher as _;
use portcullis_core::ports::user_store::UserStore as _;
use portcullis_tests::process::{Process, call};
use portcullis_tests::{Person, record_macs};
use rusqlite::Connection;

/// The database as an older version would have stored it: no MACs, and the hash of the password in the clear.
async fn age(folder: &Path) {
    let path = folder.join("data/portcullis.db");
    let macs = record_macs::of_folder(folder);
    let id = {
        let db = Connection::open(&path).unwrap();
        db.query_row("SELECT id FROM users", [], |row| row.get::<_, [u8; 16]>(0)).unwrap()
    };
    let store = portcullis_adapters::sqlite::Sqlite::open(&path, &macs).unwrap();
    let realm = Realm::parse("User1").unwrap();
    let user = store.find(&realm, &UserId::from_bytes(id)).await.unwrap().unwrap();
    drop(store);
    let cipher =
        AesGcmCipher::new(&[(1, record_macs::key_of_folder(folder))], std::sync::Arc::new(OsRandomness)).unwrap();
    let place = |field| AadContext { realm: &realm, record: &id, field };
    let key = cipher.unwrap(&user.person.key, place(Field::Key)).unwrap();
    let hash =
        cipher.open(&key, place(Field::Password), &Sealed::from_bytes(user.password.as_bytes().to_vec())).unwrap();
    assert!(hash.starts_with(b"$argon2id$"));
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE users SET password = ?1", [&hash[..]]).unwrap();
    for table in ["users", "sessions", "one_time_tokens", "jobs", "audit", "buckets", "outbox"] {
        db.execute(&format!("UPDATE {table} SET mac = NULL"), []).unwrap();
    }
}

fn unsigned(folder: &Path) -> i64 {
    let db = Connection::open(folder.join("data/portcullis.db")).unwrap();
    let tables = ["users", "sessions", "audit", "outbox"];
    let count = |table| {
        db.query_row(&format!("SELECT count(*) FROM {table} WHERE mac IS NULL"), [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    tables.map(count).iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_macs_is_signed_by_its_operator_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (server, person) = (Process::start(folder.path(), &[]), Person::john());
    let (john, _) = server.api.logged_in(&person).await;
    server.stop();
    assert_eq!(unsigned(folder.path()), 0);
    age(folder.path()).await;
    let server = Process::start(folder.path(), &[]);
    assert_eq!(server.api.login(&person.email, &person.password).await.status, 503, "nothing unsigned is believed");
    server.stop();
    let (code, out, error) = call(folder.path(), &[], &["migrate"]);
    assert!(code == 0 && unsigned(folder.path()) > 0, "{out}{error}");
    let (code, out, error) = call(folder.path(), &[], &["migrate", "--sign-existing"]);
    assert!(code == 0 && out.contains("records were signed"), "{out}{error}");
    assert_eq!(unsigned(folder.path()), 0);
    let file = std::fs::read(folder.path().join("data/portcullis.db")).unwrap();
    assert!(!file.windows(10).any(|window| window == b"$argon2id$"), "no hash is in the clear any more");
    let db = Connection::open(folder.path().join("data/portcullis.db")).unwrap();
    let sql = "SELECT count(*) FROM audit WHERE kind = 'records_signed' AND realm = 'User1'";
    assert_eq!(db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    drop(db);
    let server = Process::start(folder.path(), &[]);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    let _ = server.api.with_token(john.token.as_deref().unwrap()).get("/").await.expect(200);
    server.stop();
    let (code, out, _) = call(folder.path(), &[], &["migrate", "--sign-existing"]);
    assert!(code == 0 && out.contains("; 0 records were signed"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_its_check_values_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (server, person) = (Process::start(folder.path(), &[]), Person::john());
    let _ = server.api.logged_in(&person).await;
    server.stop();
    for name in ["encryption_key", "email_salt"] {
        let db = Connection::open(folder.path().join("data/portcullis.db")).unwrap();
        db.execute("CREATE TEMP TABLE kept AS SELECT * FROM checks", []).unwrap();
        assert_eq!(db.execute("DELETE FROM checks WHERE name = ?1", [name]).unwrap(), 1);
        let (code, _, error) = call(folder.path(), &[("PORT".to_owned(), "0".to_owned())], &["serve"]);
        assert!(code == 1 && error.contains(name) && error.contains("Fix: restore"), "{error}");
        db.execute("INSERT OR REPLACE INTO checks SELECT * FROM kept", []).unwrap();
    }
}
