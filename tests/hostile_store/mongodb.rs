//! The same on MongoDB: documents are edited behind the server's back.

use portcullis_tests::record_macs;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use futures_util::TryStreamExt as _;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use mongodb::{Client, Database};
use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};

use crate::answers::{Answer, answers, change, fill};
use crate::judge;

/// Fields that decide nothing: they find, schedule or remove documents, or prove themselves.
const NOT_DECIDING: &[(&str, &str)] = &[
    ("users", "key"),
    ("webhooks", "key"),
    ("registrations", "ids"),
    ("registrations", "first_expiry"),
    ("registrations", "swaps"),
    ("registrations", "waiting.0.key"),
    ("sessions", "user"),
    ("sessions", "dies_at"),
    ("sessions", "purge_after"),
    ("one_time_tokens", "purge_after"),
    ("jobs", "attempts"),
    ("jobs", "due_at"),
    ("jobs", "dead_at"),
    ("audit", "_id"),
    ("audit", "user"),
    ("buckets", "swaps"),
    ("login_counts", "forgotten_at"),
    ("login_counts", "swaps"),
    ("undo_records", "purge_after"),
    ("outbox", "_id"),
    ("outbox", "about"),
    ("outbox", "key"),
    ("outbox", "order"),
];
/// Collections with MACs.
const COLLECTIONS: &[&str] = &[
    "users",
    "registrations",
    "sessions",
    "one_time_tokens",
    "jobs",
    "audit",
    "buckets",
    "outbox",
    "login_counts",
    "undo_records",
    "credentials",
];

#[expect(clippy::disallowed_methods, reason = "the servers are told of by the environment")]
fn server() -> Option<String> {
    std::env::var("MONGO_TEST_URL").ok()
}

async fn documents(database: &Database, collection: &str) -> Vec<Document> {
    let found = database.collection::<Document>(collection).find(doc! {}).sort(doc! {"_id": 1}).await.unwrap();
    found.try_collect().await.unwrap()
}

/// Puts every document of a collection back.
async fn restore(database: &Database, collection: &str, all: &[Document]) {
    let documents = database.collection::<Document>(collection);
    documents.delete_many(doc! {}).await.unwrap();
    documents.insert_many(all).await.unwrap();
}

/// The fields of a document that can be edited, those of its first registration too.
fn fields(document: &Document) -> Vec<String> {
    let own = document.keys().filter(|name| *name != "waiting").cloned();
    let waiting = document.get_array("waiting").ok().and_then(|all| all.first()).and_then(Bson::as_document);
    let inner = waiting.into_iter().flat_map(|one| one.keys().map(|name| format!("waiting.0.{name}")));
    own.chain(inner).collect()
}

fn value(document: &Document, field: &str) -> Option<Bson> {
    match field.strip_prefix("waiting.0.") {
        Some(inner) => document.get_array("waiting").ok()?.first()?.as_document()?.get(inner).cloned(),
        None => document.get(field).cloned(),
    }
}

fn with_value(document: &Document, field: &str, value: Option<Bson>) -> Document {
    let mut edited = document.clone();
    let (holder, name) = match field.strip_prefix("waiting.0.") {
        Some(inner) => {
            let waiting = edited.get_array_mut("waiting").unwrap();
            (waiting.first_mut().and_then(Bson::as_document_mut).unwrap(), inner)
        }
        None => (&mut edited, field),
    };
    match value {
        Some(value) => holder.insert(name, value),
        None => holder.remove(name),
    };
    edited
}

/// Other values of the same kind, and none at all.
fn others(value: &Bson) -> Vec<Option<Bson>> {
    let some = match value {
        Bson::Int64(number) => vec![Bson::Int64(number + 1), Bson::Int64(number + 1_000_000), Bson::Int64(-1)],
        Bson::Int32(number) => vec![Bson::Int32(number + 1), Bson::Int32(0)],
        Bson::Boolean(flag) => vec![Bson::Boolean(!flag)],
        Bson::String(text) => vec![Bson::String(format!("{text}x")), Bson::String("User2".to_owned())],
        Bson::Binary(Binary { bytes, .. }) => {
            let mut flipped = bytes.clone();
            flipped[0] ^= 0x10;
            let short = bytes[..bytes.len() - 1].to_vec();
            let binary = |bytes| Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes });
            vec![binary(flipped), binary(short)]
        }
        _ => Vec::new(),
    };
    some.into_iter().map(Some).chain([None]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_a_document_can_be_edited() {
    let Some(url) = server() else { return println!("skipped: MONGO_TEST_URL is not set") };
    let name = format!("hostile_{}", std::process::id());
    let macs = record_macs::of_ring(&[1]);
    let settings =
        MongoDbSettings { url: url.clone(), database: name.clone(), validate_certificates: true, ca_file: None };
    let store = MongoDb::connect(&settings, &macs).await.unwrap();
    let database = Client::with_uri_str(&url).await.unwrap().database(&name);
    fill(&store).await;
    let mut older = Vec::new();
    for collection in COLLECTIONS {
        older.push(documents(&database, collection).await);
    }
    change(&store).await;
    let jobs = documents(&database, "jobs").await;
    let before = answers(&store).await;
    assert!(!before.contains(&Answer::Refused));
    restore(&database, "jobs", &jobs).await;
    let (mut edited, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for (collection, older) in COLLECTIONS.iter().zip(older) {
        let newer = documents(&database, collection).await;
        assert_eq!((newer.len(), older.len()), (3, 3), "{collection} has a record of each person");
        // the one that has changed, where one has
        let place = (0..3).find(|place| newer[*place] != older[*place]).unwrap_or_default();
        for document in newer.iter().skip(place).take(1) {
            for field in fields(document) {
                if NOT_DECIDING.contains(&(collection, &field)) {
                    continue;
                }
                tried.insert(format!("{collection}.{field}"));
                let was = value(document, &field);
                let of_others = newer.iter().map(|other| value(other, &field));
                let candidates = others(was.as_ref().unwrap()).into_iter().chain(of_others);
                for is in candidates.chain([value(&older[place], &field)]).filter(|is| *is != was) {
                    if field == "_id" && (is.is_none() || newer.iter().any(|other| other.get("_id") == is.as_ref())) {
                        continue;
                    }
                    let documents = database.collection::<Document>(collection);
                    documents.delete_one(doc! {"_id": document.get("_id")}).await.unwrap();
                    // a field that is missing may mean what it said
                    let means_the_same = is.is_none() && matches!(was, Some(Bson::Boolean(false) | Bson::Int32(0 | 1)));
                    // some edits a unique index refuses
                    if !means_the_same && documents.insert_one(with_value(document, &field, is.clone())).await.is_ok() {
                        let after = answers(&store).await;
                        let edit = format!("{was:?} to {is:?}");
                        judge((collection, &field), &edit, &before, &after);
                        edited.insert(format!("{collection}.{field}"));
                    }
                    restore(&database, collection, &newer).await;
                    restore(&database, "jobs", &jobs).await;
                }
            }
        }
    }
    assert_eq!(edited, tried, "every field was edited");
    assert!(macs.refused().load(Ordering::Relaxed) > 100, "refused records are counted");
    store.drop_database().await.unwrap();
}
