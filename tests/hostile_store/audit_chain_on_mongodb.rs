//! The same on MongoDB: documents of the audit log are edited behind the server's back.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use mongodb::{Client, Collection};
use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_tests::record_macs;

use crate::audit_chain::{Keys, NUMBERED};

#[expect(clippy::disallowed_methods, reason = "the servers are told of by the environment")]
fn server() -> Option<String> {
    std::env::var("MONGO_TEST_URL").ok()
}

/// Other values of the same kind, and none at all.
fn others(value: &Bson) -> Vec<Option<Bson>> {
    let some = match value {
        Bson::Int64(number) => vec![
            Bson::Int64(number + 1),
            Bson::Int64(0),
            Bson::Double(1.5),
            Bson::Array(vec![value.clone()]),
            Bson::Array(vec![Bson::Int64(i64::MAX)]),
        ],
        Bson::String(text) => vec![Bson::String(format!("{text}x")), Bson::Int64(1)],
        Bson::Binary(Binary { bytes, .. }) => {
            let mut flipped = bytes.clone();
            flipped[3] ^= 0x10;
            let binary = |bytes| Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes });
            vec![binary(flipped), binary(bytes[..bytes.len() - 1].to_vec()), Bson::String("x".to_owned())]
        }
        _ => Vec::new(),
    };
    some.into_iter().map(Some).chain([None]).collect()
}

async fn replace_all(audit: &Collection<Document>, all: &[Document]) {
    audit.delete_many(doc! {}).await.unwrap();
    audit.insert_many(all).await.unwrap();
}

/// Edits each field of a few documents.
async fn edit_fields(keys: &Keys, store: &MongoDb, audit: &Collection<Document>, all: &[Document]) {
    // a field of a numbered event and of one without a number
    for at in [2, 3, usize::try_from(NUMBERED).unwrap()] {
        for (field, value) in &all[at] {
            // `_id` can't be changed in place, and `user` only finds
            if ["_id", "user"].contains(&&**field) || *value == Bson::Null {
                continue;
            }
            for other in others(value) {
                let change = other.as_ref().map(|other| doc! {"$set": {field: other}});
                let change = change.unwrap_or_else(|| doc! {"$unset": {field: ""}});
                audit.update_one(doc! {"_id": all[at].get("_id")}, change).await.unwrap();
                assert!(keys.verify(store).await.found > 0, "{field} of {at} became {other:?}");
                audit.replace_one(doc! {"_id": all[at].get("_id")}, &all[at]).await.unwrap();
            }
        }
    }
}

/// A copy of a document at another place.
fn at_another_place(mut document: Document) -> Document {
    document.insert("_id", mongodb::bson::oid::ObjectId::new());
    document
}

/// Copies of an event whose link is written in another form.
fn copies_in_another_form(all: &[Document]) -> Vec<(&'static str, Document)> {
    let copied = |field: &str, change: fn(Bson) -> Bson| {
        let mut copy = at_another_place(all[4].clone());
        let value = copy.remove(field).unwrap();
        copy.insert(field, change(value));
        copy
    };
    let other_subtype = |chain| match chain {
        Bson::Binary(binary) => Bson::Binary(Binary { subtype: BinarySubtype::UserDefined(0x80), ..binary }),
        other => other,
    };
    vec![
        ("copied with another subtype", copied("chain", other_subtype)),
        ("copied into a list", copied("chain", |chain| Bson::Array(vec![Bson::Null, chain]))),
        ("copied with a list of numbers", copied("link", |_| Bson::Array(vec![Bson::Int64(i64::MAX)]))),
    ]
}

/// Edits of whole documents.
fn edits(all: &[Document]) -> Vec<(&'static str, Vec<Document>)> {
    let edited = |edit: &dyn Fn(&mut Vec<Document>)| {
        let mut copy = all.to_vec();
        edit(&mut copy);
        copy
    };
    let swapped = edited(&|all| {
        let places = [3, 5].map(|at: usize| all[at].get("_id").cloned().unwrap());
        all[3].insert("_id", places[1].clone());
        all[5].insert("_id", places[0].clone());
    });
    let copied = edited(&|all| all.push(at_another_place(all[4].clone())));
    let replayed = edited(&|all| {
        let mut copy = at_another_place(all[4].clone());
        for name in ["chain", "link", "tag"] {
            copy.remove(name);
        }
        all.push(copy);
    });
    let moved = edited(&|all| all[4] = at_another_place(all[4].clone()));
    let named_by_text = edited(&|all| {
        all[4].insert("_id", "a text");
    });
    let without_one = edited(&|all| drop(all.remove(6)));
    let cut = edited(&|all| drop(all.drain(7..9)));
    let none = edited(&|all| all.truncate(1));
    let mut edits = vec![
        ("swapped", swapped),
        ("copied", copied),
        ("replayed", replayed),
        ("moved", moved),
        ("an id of another kind", named_by_text),
        ("without one", without_one),
        ("cut", cut),
        ("without nearly all", none),
    ];
    let with = |copy: Document| all.iter().cloned().chain([copy]).collect();
    edits.extend(copies_in_another_form(all).into_iter().map(|(what, copy)| (what, with(copy))));
    edits
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edit_of_a_document_is_named() {
    let Some(url) = server() else { return println!("skipped: MONGO_TEST_URL is not set") };
    let database = format!("chain_{}", std::process::id());
    let settings =
        MongoDbSettings { url: url.clone(), database: database.clone(), validate_certificates: true, ca_file: None };
    let store = Arc::new(MongoDb::connect(&settings, &record_macs::of_ring(&[1])).await.unwrap());
    let keys = Keys::new();
    keys.fill(&store).await;
    let audit: Collection<Document> = Client::with_uri_str(&url).await.unwrap().database(&database).collection("audit");
    let by_place = audit.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap();
    let all: Vec<Document> = by_place.try_collect().await.unwrap();

    edit_fields(&keys, &store, &audit, &all).await;
    for (what, documents) in edits(&all) {
        replace_all(&audit, &documents).await;
        assert!(keys.verify(&*store).await.found > 0, "{what}");
    }
    replace_all(&audit, &all).await;
    assert_eq!(keys.verify(&*store).await.findings, Vec::new());
    store.drop_database().await.unwrap();
}
