//! [`MigratableStore`] on MongoDB. A batch is inserted at once; what is there already, from a move that was stopped, is replaced
//! by its `_id`.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind};
use portcullis_core::ports::error::PortError;

use crate::data_migration::{AT_ONCE, Collection, MigratableStore, NOTE, Page, Pages, Record};
use crate::mongodb::{MongoDb, binary, document_mapping, is_duplicate};

const PORT: &str = "move";

fn failed(error: Error) -> PortError {
    PortError::new(PORT, error)
}

/// What sorts a collection's documents. Copies in the mailbox go by their age, for a store may number them as they come.
fn order(of: Collection) -> Document {
    if of == Collection::Outbox {
        doc! {"at": 1, "order": 1}
    } else {
        doc! {"_id": 1}
    }
}

/// An `_id` as text, and back.
fn print(id: &Bson) -> Option<String> {
    match id {
        Bson::String(text) => Some(format!("t{text}")),
        Bson::ObjectId(id) => Some(format!("o{}", id.to_hex())),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Bson> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "t" => Some(Bson::String(rest.to_owned())),
        "o" => ObjectId::parse_str(rest).ok().map(Bson::ObjectId),
        _ => None,
    }
}

fn page(of: Collection, documents: &[Document]) -> Result<Page, PortError> {
    let records = documents.iter().map(|document| document_mapping::parse(of, document)).collect::<Result<_, _>>()?;
    let last = documents.last().and_then(|document| document.get("_id"));
    Ok(Page { records, behind: last.filter(|_| of != Collection::Outbox).and_then(print) })
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
    fn pages(&self, of: Collection, behind: Option<&str>) -> Pages<'_> {
        let which = match behind.map(parse) {
            None => Ok(doc! {}),
            Some(Some(id)) => Ok(doc! {"_id": {"$gt": id}}),
            Some(None) => Err(PortError::new(PORT, "the note of how far the move came is not of this store")),
        };
        let collection = self.collection(of.as_str());
        let documents = async move {
            let batch = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
            let found = collection.find(which?).sort(order(of)).batch_size(batch).await.map_err(failed)?;
            // the note is this store's own
            let all = found.map_err(failed).try_filter(move |document| {
                std::future::ready(of != Collection::Checks || document.get_str("_id").ok() != Some(NOTE))
            });
            Ok::<_, PortError>(all)
        };
        let chunks = stream::once(documents).try_flatten().try_chunks(AT_ONCE).map_err(|cut| cut.1);
        chunks.map(move |documents| page(of, &documents?)).boxed()
    }

    async fn put_all(&self, records: Vec<Record>, note: &[u8]) -> Result<(), PortError> {
        let mut batches: Vec<(Collection, Vec<Document>)> = Vec::new();
        for record in &records {
            let Some((of, document)) = document_mapping::print(record) else { continue };
            match batches.last_mut() {
                Some((last, batch)) if *last == of => batch.push(document),
                _ => batches.push((of, vec![document])),
            }
        }
        for (of, batch) in batches {
            self.put(of, batch).await?;
        }
        let document = doc! {"_id": NOTE, "value": binary(note)};
        let checks = self.collection("checks");
        checks.replace_one(doc! {"_id": NOTE}, document).upsert(true).await.map_err(failed)?;
        Ok(())
    }

    async fn count(&self, of: Collection) -> Result<u64, PortError> {
        let which = if of == Collection::Checks {
            doc! {"_id": {"$ne": NOTE}}
        } else {
            doc! {}
        };
        self.collection(of.as_str()).count_documents(which).await.map_err(failed)
    }

    async fn clear(&self, of: Collection) -> Result<(), PortError> {
        let which = if of == Collection::Checks {
            doc! {"_id": {"$ne": NOTE}}
        } else {
            doc! {}
        };
        self.collection(of.as_str()).delete_many(which).await.map_err(failed)?;
        Ok(())
    }

    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        let found = self.collection("checks").find_one(doc! {"_id": name}).await.map_err(failed)?;
        Ok(found.and_then(|found| found.get_binary_generic("value").ok().cloned()))
    }

    async fn remove_note(&self) -> Result<(), PortError> {
        self.collection("checks").delete_one(doc! {"_id": NOTE}).await.map_err(failed)?;
        Ok(())
    }
}
