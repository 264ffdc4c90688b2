//! [`CheckValueStore`] on MongoDB.

use async_trait::async_trait;
use mongodb::bson::doc;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::error::PortError;

use crate::mongodb::MongoDb;
use crate::mongodb::documents::binary;
use crate::mongodb::failure::Failure;

const PORT: &str = "check_value_store";
const COLLECTION: &str = "checks";

#[async_trait]
impl CheckValueStore for MongoDb {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(doc! {"_id": name})).await?;
        Ok(found.and_then(|found| found.get_binary_generic("value").ok().cloned()))
    }

    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        let document = doc! {"_id": name, "value": binary(value)};
        match self.run(PORT, self.collection(COLLECTION).insert_one(document)).await {
            Ok(_) => return Ok(value.to_vec()),
            Err(Failure::Taken(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        let stored = self.check_value(name).await?;
        stored.ok_or_else(|| PortError::new(PORT, "a check value was removed meanwhile"))
    }

    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError> {
        let which = doc! {"_id": name, "value": binary(expected)};
        let change = doc! {"$set": {"value": binary(new)}};
        Ok(self.run(PORT, self.collection(COLLECTION).update_one(which, change)).await?.matched_count == 1)
    }
}
