//! [`MigratableStore`] on MongoDB. A batch is inserted at once; documents of an earlier, stopped call are replaced by
//! their `_id`.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind};
use portcullis_core::model::stored_record::{Collection, Record, RecordPage};
use portcullis_core::ports::data_migration_store::{MigratableStore, PROGRESS_KEY};
use portcullis_core::ports::error::PortError;

use crate::mongodb::documents::binary;
use crate::mongodb::failure::is_duplicate;
use crate::mongodb::{MongoDb, document_mapping};

const PORT: &str = "data_migration_store";

fn failed(error: Error) -> PortError {
    PortError::new(PORT, error)
}

/// The records of a collection. The progress of a migration is not one of them.
fn all(of: Collection) -> Document {
    if of == Collection::Checks {
        doc! {"_id": {"$ne": PROGRESS_KEY}}
    } else {
        doc! {}
    }
}

/// The order of a collection. Copies of messages go by their age: other stores number them as they are inserted.
fn order(of: Collection) -> Document {
    if of == Collection::SentMessages {
        doc! {"at": 1, "order": 1}
    } else {
        doc! {"_id": 1}
    }
}

/// A document's place in that order, as text.
fn cursor(of: Collection, document: &Document) -> Option<String> {
    if of == Collection::SentMessages {
        let (at, order) = (document.get_i64("at").ok()?, document.get_object_id("order").ok()?);
        return Some(format!("a{at}/{}", order.to_hex()));
    }
    match document.get("_id")? {
        Bson::String(text) => Some(format!("t{text}")),
        Bson::ObjectId(id) => Some(format!("o{}", id.to_hex())),
        _ => None,
    }
}

/// The documents after such a place.
fn after(of: Collection, cursor: &str) -> Option<Document> {
    let (kind, rest) = cursor.split_at_checked(1)?;
    match kind {
        "a" if of == Collection::SentMessages => {
            let (at, order) = rest.split_once('/')?;
            let (at, order) = (at.parse::<i64>().ok()?, ObjectId::parse_str(order).ok()?);
            Some(doc! {"$or": [{"at": {"$gt": at}}, {"at": at, "order": {"$gt": order}}]})
        }
        "t" if of != Collection::SentMessages => Some(doc! {"_id": {"$gt": rest}}),
        "o" if of != Collection::SentMessages => Some(doc! {"_id": {"$gt": ObjectId::parse_str(rest).ok()?}}),
        _ => None,
    }
}

impl MongoDb {
    async fn put(&self, of: Collection, documents: Vec<Document>) -> Result<(), PortError> {
        let collection = self.collection(of.as_str());
        match collection.insert_many(&documents).ordered(false).await {
            Ok(_) => return Ok(()),
            Err(error) if has_duplicates(&error) => {}
            Err(error) => return Err(failed(error)),
        }
        for document in documents {
            let which = doc! {"_id": document.get("_id")};
            collection.replace_one(which, document).upsert(true).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn has_duplicates(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::InsertMany(refused) => {
            refused.write_errors.iter().flatten().any(|refused| refused.code == 11_000) || is_duplicate(error)
        }
        _ => is_duplicate(error),
    }
}

#[async_trait]
impl MigratableStore for MongoDb {
    async fn next_page(
        &self,
        of: Collection,
        cursor_before: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError> {
        let mut which = vec![all(of)];
        if let Some(cursor) = cursor_before {
            let foreign = || PortError::new(PORT, "the progress of the migration is not of this store");
            which.push(after(of, &cursor).ok_or_else(foreign)?);
        }
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let collection = self.collection(of.as_str());
        let found = collection.find(doc! {"$and": which}).sort(order(of)).limit(most).await;
        let documents: Vec<Document> = found.map_err(failed)?.try_collect().await.map_err(failed)?;
        let Some(last) = documents.last() else { return Ok(None) };
        let cursor = cursor(of, last).ok_or_else(|| PortError::new(PORT, "a document's place cannot be read"))?;
        let records = documents.iter().map(|document| document_mapping::parse(&self.macs, of, document));
        Ok(Some(RecordPage { records: records.collect::<Result<_, _>>()?, cursor }))
    }

    async fn put_all(&self, records: Vec<Record>, progress: &[u8]) -> Result<(), PortError> {
        let mut batches: Vec<(Collection, Vec<Document>)> = Vec::new();
        for record in &records {
            let Some((of, document)) = document_mapping::print(&self.macs, record) else { continue };
            match batches.last_mut() {
                Some((last, batch)) if *last == of => batch.push(document),
                _ => batches.push((of, vec![document])),
            }
        }
        for (of, batch) in batches {
            self.put(of, batch).await?;
        }
        let document = doc! {"_id": PROGRESS_KEY, "value": binary(progress)};
        let checks = self.collection("checks");
        checks.replace_one(doc! {"_id": PROGRESS_KEY}, document).upsert(true).await.map_err(failed)?;
        Ok(())
    }

    async fn count(&self, of: Collection) -> Result<u64, PortError> {
        self.collection(of.as_str()).count_documents(all(of)).await.map_err(failed)
    }

    async fn clear(&self, of: Collection) -> Result<(), PortError> {
        self.collection(of.as_str()).delete_many(all(of)).await.map_err(failed)?;
        Ok(())
    }

    async fn remove_progress(&self) -> Result<(), PortError> {
        self.collection("checks").delete_one(doc! {"_id": PROGRESS_KEY}).await.map_err(failed)?;
        Ok(())
    }
}
