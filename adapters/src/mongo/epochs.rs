//! What Redis' copies of MongoDB's records go by: the epoch, and the members that filters are built of.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::error::PortError;
use tokio::sync::mpsc;

use crate::job_text::unhex;
use crate::mongo::documents::Fields;
use crate::mongo::{Failure, Mongo, run};
use crate::redis::cache::{Advance, Epoch, Epochs, Members};

const PORT: &str = "epochs";

#[async_trait]
impl Epochs for Mongo {
    async fn current(&self) -> Result<Epoch, PortError> {
        let versions = self.collection("versions");
        let found = run(PORT, versions.find_one(doc! {"_id": "epoch"})).await?;
        if found.is_none() {
            // not from zero: a database that was dropped and made again must not believe the copies of the one before
            let start = ObjectId::new().bytes().first_chunk().map_or(0, |first| i64::from_be_bytes(*first) >> 1);
            let begin = doc! {"$setOnInsert": {"copies": start, "filters": start}};
            let begun = run(PORT, versions.update_one(doc! {"_id": "epoch"}, begin).upsert(true)).await;
            return match begun {
                Ok(_) | Err(Failure::Taken(_)) => Err(PortError::new(PORT, "the epoch has only begun")),
                Err(failure) => Err(failure.into()),
            };
        }
        let of = |name: &str| {
            let number = found.as_ref().and_then(|found| found.get_i64(name).ok()).unwrap_or_default();
            u64::try_from(number).unwrap_or_default()
        };
        Ok(Epoch { copies: of("copies"), filters: of("filters") })
    }

    async fn advance(&self, which: Advance) -> Result<(), PortError> {
        let name = match which {
            Advance::Copies => "copies",
            Advance::Filters => "filters",
        };
        let one_more = doc! {"$inc": {name: 1_i64}};
        run(PORT, self.collection("versions").update_one(doc! {"_id": "epoch"}, one_more).upsert(true)).await?;
        Ok(())
    }
}

/// The blind indexes of all accounts.
pub struct Addresses(pub Arc<Mongo>);

/// Whoever has taken from a bucket.
pub struct Takers(pub Arc<Mongo>);

#[async_trait]
impl Members for Addresses {
    async fn count(&self) -> Result<u64, PortError> {
        Ok(run(PORT, self.0.collection("users").estimated_document_count()).await?)
    }

    async fn stream(&self, batch: usize, to: mpsc::Sender<Vec<Digest>>) -> Result<(), PortError> {
        let read = |document: &Document| Fields::of(PORT, document).digest("email_index");
        stream(&self.0, "users", "email_index", batch, to, read).await
    }
}

#[async_trait]
impl Members for Takers {
    async fn count(&self) -> Result<u64, PortError> {
        Ok(run(PORT, self.0.collection("buckets").estimated_document_count()).await?)
    }

    async fn stream(&self, batch: usize, to: mpsc::Sender<Vec<Digest>>) -> Result<(), PortError> {
        let read = |document: &Document| {
            let fields = Fields::of(PORT, document);
            let digest = fields.text("_id")?.rsplit('/').next().and_then(unhex);
            digest.ok_or_else(|| fields.unreadable("_id"))
        };
        stream(&self.0, "buckets", "_id", batch, to, read).await
    }
}

/// No limit of time: there may be millions, and nobody waits.
async fn stream(
    mongo: &Mongo,
    collection: &str,
    member: &str,
    batch: usize,
    to: mpsc::Sender<Vec<Digest>>,
    read: impl Fn(&Document) -> Result<Digest, PortError>,
) -> Result<(), PortError> {
    let failed = |error| PortError::new(PORT, error);
    let mut all = mongo.collection(collection).find(doc! {}).projection(doc! {member: 1}).await.map_err(failed)?;
    let mut digests = Vec::with_capacity(batch);
    while let Some(document) = all.try_next().await.map_err(failed)? {
        digests.push(read(&document)?);
        if digests.len() == batch && to.send(std::mem::take(&mut digests)).await.is_err() {
            return Ok(());
        }
    }
    // a receiver that went away wants no more
    let _ = to.send(digests).await;
    Ok(())
}
