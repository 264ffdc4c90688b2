//! What Redis' copies of MongoDB's records go by: the epoch, and the indexes a filter is built of.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::error::PortError;

use crate::mongo::documents::Fields;
use crate::mongo::{Mongo, run};
use crate::redis::cache::{Advance, EmailIndexes, Epoch, Epochs};

const PORT: &str = "user_store";

#[async_trait]
impl Epochs for Mongo {
    async fn current(&self) -> Result<Epoch, PortError> {
        let found = run(PORT, self.collection("versions").find_one(doc! {"_id": "epoch"})).await?;
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

#[async_trait]
impl EmailIndexes for Mongo {
    async fn count(&self) -> Result<u64, PortError> {
        Ok(run(PORT, self.collection("users").estimated_document_count()).await?)
    }

    async fn stream(&self, batch: usize, to: tokio::sync::mpsc::Sender<Vec<Digest>>) -> Result<(), PortError> {
        // no limit of time: there may be millions, and nobody waits
        let failed = |error| PortError::new(PORT, error);
        let only = doc! {"email_index": 1};
        let mut all = self.collection("users").find(doc! {}).projection(only).await.map_err(failed)?;
        let mut digests = Vec::with_capacity(batch);
        while let Some(document) = all.try_next().await.map_err(failed)? {
            digests.push(read(&document)?);
            if digests.len() == batch && to.send(std::mem::take(&mut digests)).await.is_err() {
                return Ok(());
            }
        }
        let _ = to.send(digests).await;
        Ok(())
    }
}

fn read(document: &Document) -> Result<Digest, PortError> {
    Fields::of(PORT, document).digest("email_index")
}
