//! `portcullis migrate-data` from SQLite to MongoDB and back, by the real binary.

use portcullis_tests::record_macs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use portcullis_adapters::data_migration::migration::{Migration, Step};
use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::check_value_store::CheckValueStore as _;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_tests::process::{Process, call, command};
use portcullis_tests::seed_data::seed;
use portcullis_tests::{Person, on_servers};

const THERE: [&str; 5] = ["migrate-data", "--from", "DATABASE_URL", "--to", "MONGO_URL"];
const BACK: [&str; 5] = ["migrate-data", "--from", "MONGO_URL", "--to", "sqlite://data/back.db"];

async fn mongo(settings: &[(String, String)]) -> MongoDb {
    let of = |name: &str| settings.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let mongo =
        MongoDbSettings { url: of("MONGO_URL"), database: of("MONGO_DB"), validate_certificates: true, ca_file: None };
    MongoDb::connect_for_long(&mongo, &record_macs::of_ring(&[1])).await.unwrap()
}

/// A folder that a server has used, with one person and something of everything in it.
async fn used(folder: &Path) -> Person {
    let (server, person) = (Process::start(folder, &[]), Person::john());
    let _ = server.api.logged_in(&person).await;
    server.stop();
    let store = Sqlite::open(&folder.join("data/portcullis.db"), &record_macs::of_folder(folder)).unwrap();
    seed(&store, 0..300).await;
    person
}

pub async fn there_and_back_again() {
    let (folder, settings) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let person = used(folder.path()).await;
    let (code, out, error) = call(folder.path(), &settings, &[&THERE[..], &["--dry-run"]].concat());
    assert!(code == 0 && out.contains("users            301") && out.contains(": empty"), "{out}{error}");
    let (code, out, error) = call(folder.path(), &settings, &THERE);
    assert!(code == 0 && out.contains("copied and compared"), "{out}{error}");
    let server = Process::start(folder.path(), &settings);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    server.stop();
    let (code, _, error) = call(folder.path(), &settings, &THERE);
    assert!(code == 1 && error.contains("holds data already"), "{error}");
    let (code, out, error) = call(folder.path(), &settings, &BACK);
    assert!(code == 0 && out.contains("copied and compared"), "{out}{error}");
    let embedded = [("DATABASE_URL".to_owned(), "sqlite://data/back.db".to_owned())];
    let server = Process::start(folder.path(), &embedded);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    mongo(&settings).await.drop_database().await.unwrap();
}

pub async fn what_was_moved_there_and_back_is_the_same() {
    let (folder, settings) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let open = |name: &str| Sqlite::open(&folder.path().join(name), &record_macs::of_ring(&[1])).unwrap();
    let (from, there, back) = (open("from.db"), mongo(&settings).await, open("back.db"));
    from.check_value_or_insert("email_salt", b"salt").await.unwrap();
    there.prepare().await.unwrap();
    seed(&from, 0..1_100).await;
    for (from, to) in [(&from as &dyn MigratableStore, &there as _), (&there as _, &back as _)] {
        let comparisons = Migration { from, to, source_name: "here", on_step: &|_: Step| {} }.run().await.unwrap();
        assert!(comparisons.iter().all(|one| one.from == one.to && one.to.count > 0));
    }
    let comparisons =
        Migration { from: &from, to: &back, source_name: "here", on_step: &|_: Step| {} }.compare().await.unwrap();
    assert!(comparisons.iter().all(|one| one.from == one.to));
    // a collection that the migration does not know would be left behind
    let known = |name: &str| name == "versions" || Collection::parse(name).is_some();
    for name in there.collections().await.unwrap() {
        assert!(known(&name), "{name} is not migrated");
    }
    there.drop_database().await.unwrap();
}

pub async fn killed_in_the_middle_it_goes_on() {
    let (folder, settings) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let person = used(folder.path()).await;
    let mut migrating = command(folder.path(), &settings);
    let mut child = migrating.args(THERE).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("copying sessions")));
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, _, error) = call(folder.path(), &settings, &[]);
    assert!(code == 1 && error.contains("unfinished migration"), "{error}");
    let (code, out, error) = call(folder.path(), &settings, &THERE);
    assert!(code == 0 && out.contains("continues in ") && !out.contains("copying users"), "{out}{error}");
    let server = Process::start(folder.path(), &settings);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    server.stop();
    mongo(&settings).await.drop_database().await.unwrap();
}
