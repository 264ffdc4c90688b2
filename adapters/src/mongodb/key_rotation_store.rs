//! [`KeyRotationStore`] on MongoDB. Accounts, sent messages and webhooks have one key per document; the registrations of an address
//! are one document with a key each.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::ids::{JobId, UserId, WebhookId};
use portcullis_core::model::stored_key::{KeyPage, KeyReplacement, RecordKind, SignedAgain, StoredDataKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;

use crate::mongodb::documents::{Fields, binary, key};
use crate::mongodb::{MongoDb, registration_store, sent_message_store};

const PORT: &str = "key_rotation_store";
/// How long a page or a batch may take: no request waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The key of a document that has one.
fn parse(kind: RecordKind, document: &Document) -> Result<StoredDataKey, PortError> {
    let fields = Fields::of(PORT, document);
    let (id, part) = match kind {
        RecordKind::SentMessages => ("job", fields.number("part")?),
        RecordKind::Registrations | RecordKind::Users | RecordKind::Webhooks => ("id", 0),
    };
    Ok(StoredDataKey { realm: fields.realm()?, record: fields.id(id)?, part, key: fields.key("key")? })
}

/// The `_id` of a document that has one key.
fn id_of(kind: RecordKind, held: &StoredDataKey) -> String {
    match kind {
        RecordKind::SentMessages => sent_message_store::id(&JobId::from_bytes(held.record), held.part),
        RecordKind::Registrations | RecordKind::Users => key(&held.realm, UserId::from_bytes(held.record)),
        RecordKind::Webhooks => key(&held.realm, WebhookId::from_bytes(held.record)),
    }
}

impl MongoDb {
    /// Each replacement is a change of its own document.
    async fn replace_document_keys(&self, kind: RecordKind, replacements: &[KeyReplacement]) -> Result<u64, PortError> {
        // MongoDB refuses an empty batch
        if replacements.is_empty() {
            return Ok(0);
        }
        let update = |KeyReplacement { expected, new }: &KeyReplacement| {
            let which = doc! {"_id": id_of(kind, expected), "key": binary(expected.key.as_bytes())};
            Bson::Document(doc! {"q": which, "u": {"$set": {"key": binary(new.as_bytes())}}})
        };
        let updates: Vec<Bson> = replacements.iter().map(update).collect();
        let command = doc! {
            "update": kind.as_str(),
            "updates": updates,
            "ordered": false,
            "writeConcern": {"w": "majority", "j": true},
        };
        let answer = self.pool.run_within(TIMEOUT, PORT, self.pool.database().run_command(command)).await?;
        let refused = |error: String| PortError::new(PORT, format!("keys could not be replaced: {error}"));
        if let Some(first) = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            return Err(refused(first.to_string()));
        }
        if let Ok(concern) = answer.get_document("writeConcernError") {
            return Err(refused(concern.to_string()));
        }
        Fields::of(PORT, &answer).number("n")
    }
}

#[async_trait]
impl KeyRotationStore for MongoDb {
    async fn count_keys(&self, kind: RecordKind) -> Result<u64, PortError> {
        let documents = self.collection(kind.as_str());
        Ok(self.pool.run_within(TIMEOUT, PORT, documents.estimated_document_count()).await?)
    }

    async fn keys(&self, kind: RecordKind, after: Option<String>, limit: u32) -> Result<KeyPage, PortError> {
        let fields = match kind {
            RecordKind::Registrations => doc! {},
            RecordKind::Users | RecordKind::Webhooks => doc! {"realm": 1, "id": 1, "key": 1},
            RecordKind::SentMessages => doc! {"realm": 1, "job": 1, "part": 1, "key": 1},
        };
        let which = after.map_or_else(Document::new, |after| doc! {"_id": {"$gt": after}});
        let documents = self.collection(kind.as_str());
        let page = async {
            let found = documents.find(which).sort(doc! {"_id": 1}).limit(i64::from(limit)).projection(fields);
            found.batch_size(limit).await?.try_collect::<Vec<Document>>().await
        };
        let found = self.pool.run_within(TIMEOUT, PORT, Box::pin(page)).await?;
        let mut keys = Vec::new();
        for document in &found {
            match kind {
                RecordKind::Registrations => keys.extend(registration_store::keys(document)?),
                RecordKind::Users | RecordKind::SentMessages | RecordKind::Webhooks => {
                    keys.push(parse(kind, document)?);
                }
            }
        }
        let full = found.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let last = found.last().filter(|_| full).and_then(|last| last.get_str("_id").ok());
        Ok(KeyPage { keys, next_cursor: last.map(ToOwned::to_owned) })
    }

    async fn replace_keys(&self, kind: RecordKind, replacements: Vec<KeyReplacement>) -> Result<u64, PortError> {
        if kind != RecordKind::Registrations {
            return self.replace_document_keys(kind, &replacements).await;
        }
        let mut replaced = 0;
        for replacement in replacements {
            replaced += self.replace_registration_key(replacement).await?;
        }
        Ok(replaced)
    }

    async fn count_macs(&self, key: u32) -> Result<u64, PortError> {
        self.count_under(key).await
    }

    async fn sign_again(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError> {
        self.sign_under_newest(key, limit).await
    }

    async fn purge_replaced_keys(&self) -> Result<(), PortError> {
        // WiredTiger reuses its pages in its own time
        Ok(())
    }
}
