//! Compare-and-swap of a whole document: read, decide, write if nobody else did meanwhile, else again. Those of one
//! process stand in line, so that only other processes are raced with.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use mongodb::bson::{Document, doc};
use portcullis_core::ports::error::PortError;
use tokio::sync::Mutex;

use crate::mongodb::{Failure, MongoDb, OPERATION_TIMEOUT};

const LANES: usize = 256;
/// Races lost in a row before it is given up: as many processes would have to be at one document.
const TRIES: usize = 64;
/// Counts the swaps of a document.
pub const SWAPS: &str = "swaps";

/// Locks, a document always behind the same one.
pub struct KeyedMutex {
    hasher: RandomState,
    lanes: Vec<Arc<Mutex<()>>>,
}

impl Default for KeyedMutex {
    fn default() -> Self {
        Self { hasher: RandomState::new(), lanes: (0..LANES).map(|_| Arc::default()).collect() }
    }
}

impl KeyedMutex {
    pub(super) fn of(&self, collection: &str, id: &str) -> Option<Arc<Mutex<()>>> {
        let number = self.hasher.hash_one((collection, id)) % LANES as u64;
        self.lanes.get(usize::try_from(number).unwrap_or(0)).cloned()
    }
}

/// What becomes of a document, and the answer.
pub enum Next<T> {
    /// It stays as it is.
    Keep(T),
    /// It becomes this one.
    Put(Document, T),
    /// It goes.
    Remove(T),
}

impl MongoDb {
    /// Swaps the document of that id; `change` is given what is there and may be asked again.
    pub(super) async fn swap<T>(
        &self,
        port: &'static str,
        collection: &str,
        id: &str,
        change: impl Fn(Option<&Document>) -> Result<Next<T>, PortError> + Send + Sync,
    ) -> Result<T, PortError>
    where
        T: Send,
    {
        let swapping = async {
            let lane = self.lanes.of(collection, id);
            let _turn = match &lane {
                Some(lane) => Some(lane.lock().await),
                None => None,
            };
            for _ in 0..TRIES {
                if let Some(answer) = self.try_swap(port, collection, id, &change).await? {
                    return Ok(answer);
                }
            }
            Err(PortError::new(port, "too many others change the same document"))
        };
        // those who wait in line wait no longer than those who are at it
        let swapped = tokio::time::timeout(OPERATION_TIMEOUT, swapping).await;
        swapped.unwrap_or_else(|_| Err(PortError::new(port, "MongoDB did not answer in time")))
    }

    /// `None` when somebody else was faster.
    async fn try_swap<T>(
        &self,
        port: &'static str,
        collection: &str,
        id: &str,
        change: &(impl Fn(Option<&Document>) -> Result<Next<T>, PortError> + Send + Sync),
    ) -> Result<Option<T>, PortError>
    where
        T: Send,
    {
        let documents = self.collection(collection);
        let found = self.run(port, documents.find_one(doc! {"_id": id})).await?;
        let swaps = found.as_ref().map(|found| found.get_i64(SWAPS).unwrap_or_default());
        let same = doc! {"_id": id, SWAPS: swaps};
        match (change(found.as_ref())?, swaps) {
            (Next::Keep(answer), _) | (Next::Remove(answer), None) => Ok(Some(answer)),
            (Next::Remove(answer), Some(_)) => {
                let done = self.run(port, documents.delete_one(same)).await?;
                Ok((done.deleted_count == 1).then_some(answer))
            }
            (Next::Put(mut document, answer), Some(swaps)) => {
                document.insert("_id", id);
                document.insert(SWAPS, swaps.wrapping_add(1));
                let done = self.run(port, documents.replace_one(same, document)).await?;
                Ok((done.matched_count == 1).then_some(answer))
            }
            (Next::Put(mut document, answer), None) => {
                document.insert("_id", id);
                document.insert(SWAPS, 0_i64);
                match self.run(port, documents.insert_one(document)).await {
                    Ok(_) => Ok(Some(answer)),
                    Err(Failure::Taken(_)) => Ok(None),
                    Err(failure) => Err(failure.into()),
                }
            }
        }
    }
}
