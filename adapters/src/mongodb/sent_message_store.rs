//! [`SentMessageStore`] on MongoDB.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::sent_message_store::SentMessageStore;

use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, key, sealed, signed_document};

const PORT: &str = "sent_message_store";

pub fn parse(document: &Document) -> Result<Stored<StoredMessage>, PortError> {
    let fields = Fields::of(PORT, document);
    let copy = StoredMessage {
        realm: fields.realm()?,
        subject: fields.id("subject").map(UserId::from_bytes)?,
        job: fields.id("job").map(JobId::from_bytes)?,
        part: fields.number("part")?,
        key: fields.key("key")?,
        message: fields.sealed("message")?,
        at: fields.time("at")?,
    };
    fields.with_mac(copy)
}

/// The `_id` of a copy.
pub fn id(job: &JobId, part: u32) -> String {
    format!("{job}/{part}")
}

/// A copy as a document; several within one millisecond are in the order of `order`.
pub fn print(macs: &RecordMacs, copy: &StoredMessage, order: ObjectId) -> Document {
    let document = doc! {
        "_id": id(&copy.job, copy.part),
        "realm": copy.realm.as_str(),
        "about": key(&copy.realm, copy.subject),
        "subject": binary(copy.subject.as_bytes()),
        "job": binary(copy.job.as_bytes()),
        "part": i64::from(copy.part),
        "key": binary(copy.key.as_bytes()),
        "message": sealed(&copy.message),
        "at": copy.at.as_millis(),
        "order": order,
    };
    signed_document(macs, copy, document)
}

#[async_trait]
impl SentMessageStore for MongoDb {
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError> {
        let document = print(&self.macs, &copy, ObjectId::new());
        let which = doc! {"_id": id(&copy.job, copy.part)};
        self.run(PORT, self.collection("outbox").replace_one(which, document).upsert(true)).await?;
        Ok(())
    }

    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let outbox = self.collection("outbox");
        let all = async {
            let newest = doc! {"at": -1, "order": -1};
            outbox.find(doc! {}).sort(newest).limit(i64::from(limit)).await?.try_collect::<Vec<Document>>().await
        };
        let found = self.run(PORT, Box::pin(all)).await?;
        Ok(self.verify_all(found.iter().map(parse).collect::<Result<Vec<_>, _>>()?))
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.run(PORT, self.collection("outbox").delete_many(doc! {"about": key(realm, subject)})).await?;
        Ok(())
    }
}
