//! [`AuditChainStore`] on MongoDB. Links are fields of the events' documents; many are set in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR};
use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::{ChainEntry, ChainLink, NewLink, NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::error::PortError;

use crate::mongodb::documents::{Fields, binary, signed};
use crate::mongodb::{MongoDb, audit_log};

const PORT: &str = "audit_chain_store";
const AUDIT: &str = "audit";
const NOTES: &str = "audit_notes";
/// How long a page may take: no request waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);

fn object_id(position: AuditPosition) -> ObjectId {
    ObjectId::from_bytes(*position.as_bytes())
}

fn position(document: &Document) -> Option<AuditPosition> {
    document.get_object_id("_id").ok().map(|id| AuditPosition::from_bytes(id.bytes()))
}

/// The link of a document, unless it is damaged.
fn link(document: &Document) -> Option<ChainLink> {
    let chain = document.get_binary_generic("chain").ok()?.as_slice().try_into().ok()?;
    let number = u64::try_from(document.get_i64("link").ok()?).ok()?;
    // a tag of another length proves nothing, as zeros do
    let tag = document.get_binary_generic("tag").ok().and_then(|tag| tag.as_slice().try_into().ok());
    Some(ChainLink { chain: ChainId::from_bytes(chain), number, tag: tag.unwrap_or_default() })
}

/// Documents that are neither linked nor without a link. `$type` of an expression does not look into arrays.
fn damaged() -> Document {
    let is_binary = doc! {"$eq": [{"$type": "$chain"}, "binData"]};
    let length = doc! {"$cond": [is_binary, {"$binarySize": "$chain"}, 0]};
    let is_number = doc! {"$eq": [{"$type": "$link"}, "long"]};
    let well_formed = doc! {"$and": [{"$eq": [length, 16]}, is_number, {"$gt": ["$link", 0_i64]}]};
    let has_none = doc! {"$in": [{"$type": "$chain"}, ["missing", "null"]]};
    doc! {"$or": [
        {"_id": {"$not": {"$type": "objectId"}}},
        {"$expr": {"$not": [{"$or": [has_none, well_formed]}]}},
    ]}
}

fn note(document: &Document) -> Option<SignedNote> {
    let fields = Fields::of(PORT, document);
    Some(SignedNote {
        chain: ChainId::from_bytes(fields.id("chain").ok()?),
        kind: NoteKind::parse(fields.text("kind").ok()?)?,
        text: fields.text("text").ok()?.to_owned(),
        signature: fields.bytes("signature").ok()?.to_vec(),
    })
}

impl MongoDb {
    fn entry(&self, document: &Document) -> Option<ChainEntry> {
        let (event, genuine) = match audit_log::parse(document) {
            Ok(stored) => {
                let (event, genuine) = stored.examined(&self.macs);
                (Some(event), genuine)
            }
            Err(_) => (None, false),
        };
        Some(ChainEntry { position: position(document)?, event, genuine, link: link(document) })
    }

    async fn some_of(
        &self,
        collection: &str,
        which: Document,
        order: Document,
        limit: u32,
    ) -> Result<Vec<Document>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let documents = self.collection(collection);
        let found = async {
            let found = documents.find(which).sort(order).limit(i64::from(limit)).await?;
            found.try_collect::<Vec<Document>>().await
        };
        Ok(self.pool.run_within(TIMEOUT, PORT, Box::pin(found)).await?)
    }

    /// Every value that the documents have for their chain.
    async fn chain_values(&self) -> Result<Vec<Bson>, PortError> {
        let audit = self.collection(AUDIT);
        let distinct = audit.distinct("chain", doc! {"chain": {"$ne": null}});
        Ok(self.pool.run_within(TIMEOUT, PORT, distinct).await?)
    }

    /// Sets links in a transaction. `false` if one of the events is gone or linked by then.
    async fn set_links(&self, links: &[NewLink]) -> Result<bool, Error> {
        let update = |NewLink { position, link }: &NewLink| {
            let tag = binary(&link.tag);
            let set = doc! {"chain": binary(link.chain.as_bytes()), "link": signed(link.number), "tag": tag};
            doc! {"q": {"_id": object_id(*position), "chain": null}, "u": {"$set": set}}
        };
        let updates: Vec<Document> = links.iter().map(update).collect();
        let database = self.pool.database();
        let mut session = database.client().start_session().await?;
        session.start_transaction().await?;
        let command = doc! {"update": AUDIT, "updates": updates, "ordered": true};
        let done = match database.run_command(command).session(&mut session).await {
            Ok(answer) => answer,
            Err(error) => {
                let _ = session.abort_transaction().await;
                // another instance is linking them at this moment
                return if error.contains_label(TRANSIENT_TRANSACTION_ERROR) { Ok(false) } else { Err(error) };
            }
        };
        let changed = done.get("nModified").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
        if changed != i64::try_from(links.len()).ok() || done.contains_key("writeErrors") {
            let _ = session.abort_transaction().await;
            return Ok(false);
        }
        session.commit_transaction().await?;
        Ok(true)
    }
}

#[async_trait]
impl AuditChainStore for MongoDb {
    async fn unlinked(&self, after: Option<AuditPosition>, limit: u32) -> Result<Vec<ChainEntry>, PortError> {
        self.flush_events().await?;
        let mut id = doc! {"$type": "objectId"};
        id.extend(after.map(|after| ("$gt".to_owned(), object_id(after).into())));
        let which = doc! {"chain": null, "_id": id};
        let found = self.some_of(AUDIT, which, doc! {"chain": 1, "link": 1, "_id": 1}, limit).await?;
        let unlinked = found.iter().filter_map(|document| self.entry(document));
        Ok(unlinked.map(|entry| ChainEntry { link: None, ..entry }).collect())
    }

    async fn link(&self, links: Vec<NewLink>) -> Result<bool, PortError> {
        if links.is_empty() {
            return Ok(true);
        }
        Ok(self.pool.run_within(TIMEOUT, PORT, Box::pin(self.set_links(&links))).await?)
    }

    async fn linked(
        &self,
        chain: &ChainId,
        after: Option<(u64, AuditPosition)>,
        limit: u32,
    ) -> Result<Vec<ChainEntry>, PortError> {
        let mut which = doc! {"chain": binary(chain.as_bytes()), "link": {"$gt": 0_i64}};
        if let Some((number, position)) = after {
            let next = doc! {"link": {"$gt": signed(number)}};
            let same = doc! {"link": signed(number), "_id": {"$gt": object_id(position)}};
            which.insert("$or", vec![next, same]);
        }
        let found = self.some_of(AUDIT, which, doc! {"chain": 1, "link": 1, "_id": 1}, limit).await?;
        Ok(found.iter().filter_map(|document| self.entry(document)).collect())
    }

    async fn newest_link(&self, chain: &ChainId) -> Result<Option<ChainLink>, PortError> {
        let which = doc! {"chain": binary(chain.as_bytes()), "link": {"$gt": 0_i64}};
        let found = self.some_of(AUDIT, which, doc! {"chain": -1, "link": -1, "_id": -1}, 1).await?;
        Ok(found.first().and_then(link))
    }

    async fn linked_chains(&self) -> Result<Vec<ChainId>, PortError> {
        let chain = |value: Bson| match value {
            Bson::Binary(binary) => binary.bytes.try_into().ok().map(ChainId::from_bytes),
            _ => None,
        };
        let mut chains: Vec<ChainId> = self.chain_values().await?.into_iter().filter_map(chain).collect();
        chains.sort_unstable();
        chains.dedup();
        Ok(chains)
    }

    async fn count_damaged(&self) -> Result<u64, PortError> {
        let audit = self.collection(AUDIT);
        let mut count = self.pool.run_within(TIMEOUT, PORT, audit.count_documents(damaged())).await?;
        // equal bytes of another subtype are another value, which no query for the chain finds
        let is_another = |value: &Bson| matches!(value, Bson::Binary(one) if one.subtype != BinarySubtype::Generic);
        for value in self.chain_values().await?.into_iter().filter(is_another) {
            let same = audit.count_documents(doc! {"chain": value});
            count += self.pool.run_within(TIMEOUT, PORT, same).await?;
        }
        Ok(count)
    }

    async fn notes(&self) -> Result<Vec<SignedNote>, PortError> {
        let found = self.some_of(NOTES, doc! {}, doc! {"_id": 1}, u32::MAX).await?;
        Ok(found.iter().filter_map(note).collect())
    }

    async fn put_note(&self, note: SignedNote) -> Result<(), PortError> {
        let id = format!("{}/{}", note.chain, note.kind.as_str());
        let document = doc! {
            "_id": &id,
            "chain": binary(note.chain.as_bytes()),
            "kind": note.kind.as_str(),
            "text": note.text,
            "signature": binary(&note.signature),
        };
        let notes = self.collection(NOTES);
        let put = notes.replace_one(doc! {"_id": id}, document).upsert(true);
        self.pool.run_within(TIMEOUT, PORT, put).await?;
        Ok(())
    }
}
