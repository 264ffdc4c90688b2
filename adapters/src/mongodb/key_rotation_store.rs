//! Wrapped keys of documents that hold one each: read without the rest, and swapped many at a time.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::ports::error::PortError;

use crate::mongodb::documents::Fields;
use crate::mongodb::{MongoDb, binary};

/// How long a page or a batch may take: it is nobody's request.
const LONG: Duration = Duration::from_secs(30);

/// A collection whose documents hold a key each.
#[derive(Clone, Copy)]
pub struct Held {
    pub port: &'static str,
    pub collection: &'static str,
    /// The member with the record's id, and the one that tells several of one id apart.
    pub record: &'static str,
    pub part: Option<&'static str>,
    /// The `_id` of a document.
    pub id: fn(&StoredDataKey) -> String,
}

impl MongoDb {
    /// Documents behind an `_id`, some at a time, and the `_id` to go on behind.
    pub(super) async fn documents_behind(
        &self,
        (port, collection): (&'static str, &str),
        behind: Option<&str>,
        limit: u32,
        members: Document,
    ) -> Result<(Vec<Document>, Option<String>), PortError> {
        let which = behind.map_or_else(Document::new, |behind| doc! {"_id": {"$gt": behind}});
        let documents = self.collection(collection);
        let some = async {
            let found = documents.find(which).sort(doc! {"_id": 1}).limit(i64::from(limit)).projection(members);
            found.batch_size(limit).await?.try_collect::<Vec<Document>>().await
        };
        let found = self.pool.run_within(LONG, port, Box::pin(some)).await?;
        let full = found.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let last = found.last().filter(|_| full).and_then(|last| last.get_str("_id").ok());
        let last = last.map(ToOwned::to_owned);
        Ok((found, last))
    }

    pub(super) async fn keys_of(&self, held: Held, after: Option<String>, limit: u32) -> Result<KeyPage, PortError> {
        let Held { port, collection, record, part, .. } = held;
        let mut members = doc! {"realm": 1, "key": 1};
        members.extend([Some(record), part].into_iter().flatten().map(|name| (name.to_owned(), Bson::Int32(1))));
        let (found, behind) = self.documents_behind((port, collection), after.as_deref(), limit, members).await?;
        let key = |document: &Document| {
            let fields = Fields::of(port, document);
            Ok::<_, PortError>(StoredDataKey {
                realm: fields.realm()?,
                record: fields.id(record)?,
                part: part.map_or(Ok(0), |part| fields.number(part))?,
                key: fields.key("key")?,
            })
        };
        Ok(KeyPage { keys: found.iter().map(key).collect::<Result<_, _>>()?, behind })
    }

    /// Each change a document's own: only where the one that was seen still is.
    pub(super) async fn swap_keys_of(&self, held: Held, swaps: &[KeyReplacement]) -> Result<u64, PortError> {
        // MongoDB refuses an empty batch
        if swaps.is_empty() {
            return Ok(0);
        }
        let change = |KeyReplacement { seen, fresh }: &KeyReplacement| {
            let which = doc! {"_id": (held.id)(seen), "key": binary(seen.key.as_bytes())};
            Bson::Document(doc! {"q": which, "u": {"$set": {"key": binary(fresh.as_bytes())}}})
        };
        let changes: Vec<Bson> = swaps.iter().map(change).collect();
        let command = doc! {
            "update": held.collection,
            "updates": changes,
            "ordered": false,
            "writeConcern": {"w": "majority", "j": true},
        };
        let done = self.pool.run_within(LONG, held.port, self.pool.database().run_command(command)).await?;
        let refused = |error: &str| PortError::new(held.port, format!("keys could not be swapped: {error}"));
        if let Some(first) = done.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            return Err(refused(&first.to_string()));
        }
        if let Ok(concern) = done.get_document("writeConcernError") {
            return Err(refused(&concern.to_string()));
        }
        Fields::of(held.port, &done).number("n")
    }
}
