//! Compare-and-swap of a whole document: reads it, decides, and writes if the document has not changed meanwhile, else
//! again. Calls of one process take turns, so that only other processes are raced with.

use mongodb::bson::{Document, doc};
use portcullis_core::ports::error::PortError;

use crate::mongodb::MongoDb;
use crate::mongodb::failure::Failure;
use crate::mongodb::pool::OPERATION_TIMEOUT;

/// Lost races in a row before the call fails: as many processes would have to change one document at once.
const MAX_ATTEMPTS: usize = 64;
/// The field that counts the changes of a document.
pub const REVISION: &str = "swaps";

/// The change to the document, and the answer of the call.
pub enum CasStep<T> {
    /// It stays as it is.
    Keep(T),
    /// It is replaced by this one.
    Replace(Document, T),
    /// It is removed.
    Remove(T),
}

impl MongoDb {
    /// Changes the document of that id; `change` gets the stored document and may be called again.
    pub(super) async fn compare_and_swap<T>(
        &self,
        port: &'static str,
        collection: &str,
        id: &str,
        change: impl Fn(Option<&Document>) -> Result<CasStep<T>, PortError> + Send + Sync,
    ) -> Result<T, PortError>
    where
        T: Send,
    {
        let attempts = async {
            let _turn = self.document_locks.lock(collection, id).await;
            for _ in 0..MAX_ATTEMPTS {
                if let Some(answer) = self.try_compare_and_swap(port, collection, id, &change).await? {
                    return Ok(answer);
                }
            }
            Err(PortError::new(port, "too many instances change the same document"))
        };
        // waiting for the turn is part of the deadline
        let swapped = tokio::time::timeout(OPERATION_TIMEOUT, attempts).await;
        swapped.unwrap_or_else(|_| Err(PortError::new(port, "MongoDB did not answer in time")))
    }

    /// One attempt; `None` if the document has changed meanwhile.
    async fn try_compare_and_swap<T>(
        &self,
        port: &'static str,
        collection: &str,
        id: &str,
        change: &(impl Fn(Option<&Document>) -> Result<CasStep<T>, PortError> + Send + Sync),
    ) -> Result<Option<T>, PortError>
    where
        T: Send,
    {
        let documents = self.collection(collection);
        let found = self.run(port, documents.find_one(doc! {"_id": id})).await?;
        let revision = found.as_ref().map(|found| found.get_i64(REVISION).unwrap_or_default());
        let same = doc! {"_id": id, REVISION: revision};
        match (change(found.as_ref())?, revision) {
            (CasStep::Keep(answer), _) | (CasStep::Remove(answer), None) => Ok(Some(answer)),
            (CasStep::Remove(answer), Some(_)) => {
                let done = self.run(port, documents.delete_one(same)).await?;
                Ok((done.deleted_count == 1).then_some(answer))
            }
            (CasStep::Replace(mut document, answer), Some(revision)) => {
                document.insert("_id", id);
                document.insert(REVISION, revision.wrapping_add(1));
                let done = self.run(port, documents.replace_one(same, document)).await?;
                Ok((done.matched_count == 1).then_some(answer))
            }
            (CasStep::Replace(mut document, answer), None) => {
                document.insert("_id", id);
                document.insert(REVISION, 0_i64);
                match self.run(port, documents.insert_one(document)).await {
                    Ok(_) => Ok(Some(answer)),
                    Err(Failure::Taken(_)) => Ok(None),
                    Err(failure) => Err(failure.into()),
                }
            }
        }
    }
}
