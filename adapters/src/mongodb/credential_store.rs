//! [`CredentialStore`] on MongoDB.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::credential::{Credential, CredentialName, Scopes};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::database::{Abort, Transaction};
use crate::mongodb::documents::{Fields, digest, key};

const PORT: &str = "credential_store";
pub const COLLECTION: &str = "credentials";

pub fn print(credential: &Credential) -> Document {
    let mut document = doc! {
        "_id": key(&credential.realm, &credential.name),
        "realm": credential.realm.as_str(),
        "name": credential.name.as_str(),
        "secret": digest(&credential.secret),
        "scopes": i64::from(credential.scopes.bits()),
        "created_at": credential.created_at.as_millis(),
    };
    if let Some(end) = credential.expires_at {
        document.insert("expires_at", end.as_millis());
    }
    document
}

pub fn parse(document: &Document) -> Result<Stored<Credential>, PortError> {
    let fields = Fields::of(PORT, document);
    let credential = Credential {
        realm: fields.realm()?,
        name: CredentialName::parse(fields.text("name")?).ok_or_else(|| fields.unreadable("name"))?,
        secret: fields.digest("secret")?,
        scopes: Scopes::from_bits(fields.number("scopes")?),
        created_at: fields.time("created_at")?,
        expires_at: fields.any("expires_at", Fields::time)?,
    };
    fields.with_mac(credential)
}

impl Transaction<'_> {
    /// Applies the changes of credentials.
    pub(super) async fn apply_to_credentials(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::InsertCredential(credential) => {
                let id = key(&credential.realm, &credential.name);
                if self.find(COLLECTION, doc! {"_id": id}).await?.is_some() {
                    return Err(Refusal::IdTaken.into());
                }
                let document = self.mongo.sign(&**credential, print(credential));
                self.mongo.collection(COLLECTION).insert_one(document).session(&mut *self.session).await?;
                Ok(())
            }
            Change::ReplaceCredential { credential, expected } => {
                let which = doc! {"_id": key(&credential.realm, &credential.name), "secret": digest(expected)};
                let document = self.mongo.sign(&**credential, print(credential));
                let credentials = self.mongo.collection(COLLECTION);
                let replaced = credentials.replace_one(which, document).session(&mut *self.session).await?;
                if replaced.matched_count == 1 { Ok(()) } else { Err(Refusal::CredentialGone.into()) }
            }
            Change::RemoveCredential { realm, name } => {
                let removed = self.delete_many(COLLECTION, doc! {"_id": key(realm, name)}).await?;
                if removed == 1 { Ok(()) } else { Err(Refusal::CredentialGone.into()) }
            }
            _ => Ok(()), // applied by `apply`
        }
    }
}

#[async_trait]
impl CredentialStore for MongoDb {
    async fn find(&self, realm: &Realm, name: &CredentialName) -> Result<Option<Credential>, PortError> {
        let which = doc! {"_id": key(realm, name)};
        let found = self.run(PORT, self.collection(COLLECTION).find_one(which)).await?;
        let found = found.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, |credential| credential.realm == *realm && credential.name == *name)
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Credential>, PortError> {
        let credentials = self.collection(COLLECTION);
        let found = credentials.find(doc! {"realm": realm.as_str()}).sort(doc! {"name": 1});
        let documents: Vec<Document> = self.run(PORT, async { found.await?.try_collect().await }).await?;
        let mut all = self.verify_all(documents.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        all.retain(|credential| credential.realm == *realm);
        Ok(all)
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let expired = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection(COLLECTION).delete_many(expired)).await?.deleted_count)
    }
}
