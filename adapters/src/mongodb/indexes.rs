//! Creates the missing indexes. An option that the server lacks is logged once; housekeeping does its work.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

/// Codes by which a server says that it knows no such option: not implemented, cannot create, invalid options.
const UNKNOWN_OPTION: [i32; 4] = [67, 72, 197, 238];

/// Makes them all.
pub async fn create(database: &Database) -> Result<(), mongodb::error::Error> {
    let plain = [
        ("registrations", doc! {"ids": 1}),
        ("registrations", doc! {"first_expiry": 1}),
        ("sessions", doc! {"user": 1, "created_at": 1}),
        ("sessions", doc! {"dies_at": 1}),
        ("one_time_tokens", doc! {"expires_at": 1}),
        ("undo_records", doc! {"user": 1, "version": 1}),
        ("undo_records", doc! {"realm": 1, "reserved": 1}),
        ("undo_records", doc! {"realm": 1, "token": 1}),
        ("undo_records", doc! {"expires_at": 1}),
        ("credentials", doc! {"realm": 1, "name": 1}),
        ("credentials", doc! {"expires_at": 1}),
        ("webhooks", doc! {"realm": 1, "id": 1}),
        ("jobs", doc! {"dead_at": 1, "due_at": 1, "created_at": 1}),
        ("jobs", doc! {"about": 1}),
        ("audit", doc! {"user": 1, "at": -1, "_id": -1}),
        ("audit", doc! {"chain": 1, "link": 1, "_id": 1}),
        ("login_counts", doc! {"forgotten_at": 1}),
        ("buckets", doc! {"full_at": 1}),
        ("outbox", doc! {"about": 1}),
        ("outbox", doc! {"at": -1}),
    ];
    for (collection, keys) in plain {
        make(database, collection, keys, IndexOptions::default()).await?;
    }
    let unique = IndexOptions::builder().unique(true).build();
    make(database, "users", doc! {"realm": 1, "email_index": 1}, unique.clone()).await?;
    make(database, "one_time_tokens", doc! {"realm": 1, "purpose": 1, "token": 1}, unique).await?;
    let named = IndexOptions::builder().unique(true).partial_filter_expression(doc! {"names": {"$exists": true}});
    make(database, "registrations", doc! {"names": 1}, named.build()).await?;
    expire(database).await
}

/// How many there are; a collection that is not there has none.
pub async fn count(database: &Database) -> usize {
    let mut count = 0;
    for name in database.list_collection_names().await.unwrap_or_default() {
        let names = database.collection::<Document>(&name).list_index_names().await;
        count += names.unwrap_or_default().len();
    }
    count
}

async fn make(
    database: &Database,
    collection: &str,
    keys: Document,
    options: IndexOptions,
) -> Result<(), mongodb::error::Error> {
    let index = IndexModel::builder().keys(keys).options(options).build();
    database.collection::<Document>(collection).create_index(index).await.map(|_| ())
}

/// MongoDB's TTL indexes, where the server has them. They only clean up, a day late.
async fn expire(database: &Database) -> Result<(), mongodb::error::Error> {
    let late = IndexOptions::builder().expire_after(Duration::from_hours(24)).build();
    for collection in ["sessions", "one_time_tokens", "undo_records"] {
        match make(database, collection, doc! {"purge_after": 1}, late.clone()).await {
            Ok(()) => {}
            Err(error) if is_index_missing(&error) => {
                tracing::info!("this MongoDB server has no TTL indexes: what expires is removed by housekeeping alone");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_index_missing(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(refused) if UNKNOWN_OPTION.contains(&refused.code))
}
