//! What Redis' copies of MongoDB's records go by: the epoch, and the members that filters are built of.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness as _;
use tokio::sync::mpsc;

use crate::job_text::unhex;
use crate::mongo::documents::Fields;
use crate::mongo::{Failure, Mongo, PATIENCE, at_once, binary, run};
use crate::redis::cache::{Advance, CopyKey, Epoch, Epochs, Members, TRUST};
use crate::system::randomness::OsRandomness;

const PORT: &str = "epochs";

const EPOCH: &str = "epoch";

impl Mongo {
    /// An instance without Redis uses this database from now on: it takes no copies back, so nobody may believe them. They
    /// are believed again once `allow_copies` says that it has gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forbid_copies(&self) -> Result<(), PortError> {
        self.begin_epoch(true).await?;
        if self.switch(true).await? {
            tracing::warn!(
                "MONGO_URL: instances with Redis have used this database, and this one has none: copies in Redis are off \
                 until all have the same REDIS_URL and `portcullis migrate --with-copies` is called"
            );
        }
        // another instance may have done the same a moment ago, and be waiting still
        let versions = self.collection("versions");
        let unsettled = doc! {"_id": EPOCH, "settled": {"$ne": true}};
        if let Some(found) = run(PORT, versions.find_one(unsettled)).await? {
            tokio::time::sleep(TRUST * 2).await;
            // of that switch and no later one
            let which = doc! {"_id": EPOCH, "plain": true, "key": found.get("key")};
            run(PORT, versions.update_one(which, doc! {"$set": {"settled": true}})).await?;
        }
        Ok(())
    }

    /// All instances have Redis. Whether some had not: what there is from before is not believed, for they took nothing back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allow_copies(&self) -> Result<bool, PortError> {
        self.switch(false).await
    }

    /// Answers when no instance believes a copy of what was read before: a copy may hold a key as it was wrapped before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&self) -> Result<(), PortError> {
        self.advance(Advance::Copies).await?;
        tokio::time::sleep(TRUST * 2).await;
        Ok(())
    }

    /// Whether it was otherwise.
    async fn switch(&self, plain: bool) -> Result<bool, PortError> {
        let which = doc! {"_id": EPOCH, "plain": !plain};
        let change = doc! {
            "$set": {"plain": plain, "settled": false, "key": binary(&fresh_key())},
            "$inc": {"copies": 1_i64, "filters": 1_i64},
        };
        Ok(run(PORT, self.collection("versions").update_one(which, change)).await?.matched_count == 1)
    }

    /// The first epoch of a database. Not from zero: one that was dropped and made again must not believe the copies of the
    /// one before.
    async fn begin_epoch(&self, plain: bool) -> Result<(), PortError> {
        let start = ObjectId::new().bytes().first_chunk().map_or(0, |first| i64::from_be_bytes(*first) >> 1);
        let first = doc! {
            "_id": EPOCH, "copies": start, "filters": start, "generation": "", "plain": plain, "settled": plain,
            "key": binary(&fresh_key()),
        };
        match run(PORT, self.collection("versions").insert_one(first)).await {
            Ok(_) | Err(Failure::Taken(_)) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn fresh_key() -> [u8; 32] {
    let mut key = [0; 32];
    OsRandomness.fill(&mut key);
    key
}

#[async_trait]
impl Epochs for Mongo {
    async fn current(&self) -> Result<Epoch, PortError> {
        let found = at_once(PATIENCE, PORT, self.collection("versions").find_one(doc! {"_id": EPOCH})).await?;
        let Some(found) = found else {
            self.begin_epoch(false).await?;
            return Err(PortError::new(PORT, "the epoch has only begun"));
        };
        let fields = Fields::of(PORT, &found);
        let key = fields.bytes("key")?.try_into().map_err(|_| fields.unreadable("key"))?;
        Ok(Epoch {
            copies: fields.number("copies")?,
            key: CopyKey(key),
            filters: fields.number("filters")?,
            generation: fields.text("generation")?.to_owned(),
            plain: fields.flag("plain")?,
        })
    }

    async fn advance(&self, which: Advance) -> Result<(), PortError> {
        let change = match which {
            Advance::Copies => doc! {"$inc": {"copies": 1_i64}, "$set": {"key": binary(&fresh_key())}},
            Advance::Filters => doc! {"$inc": {"filters": 1_i64}},
        };
        // where there is none yet, nobody believes anything
        at_once(PATIENCE, PORT, self.collection("versions").update_one(doc! {"_id": EPOCH}, change)).await?;
        Ok(())
    }

    async fn begin(&self, seen: &str, fresh: &str) -> Result<bool, PortError> {
        let which = doc! {"_id": EPOCH, "generation": seen};
        let change = doc! {"$set": {"generation": fresh}};
        Ok(run(PORT, self.collection("versions").update_one(which, change)).await?.matched_count == 1)
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
