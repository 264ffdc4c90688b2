//! [`WebhookStore`] on MongoDB, and the changes of webhooks inside a transaction.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::{EventKinds, OldSecret, Webhook};
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::webhook_store::WebhookStore;

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::database::{Abort, Transaction};
use crate::mongodb::documents::{Fields, binary, key, sealed, signed};

const PORT: &str = "webhook_store";
const COLLECTION: &str = "webhooks";

pub fn print(webhook: &Webhook) -> Document {
    let mut document = doc! {
        "_id": key(&webhook.realm, webhook.id),
        "realm": webhook.realm.as_str(),
        "id": binary(webhook.id.as_bytes()),
        "key": binary(webhook.secret.as_bytes()),
        "url": &webhook.url,
        "kinds": webhook.kinds.to_text(),
        "disabled": webhook.disabled,
        "version": signed(webhook.version),
        "created_at": webhook.created_at.as_millis(),
        "updated_at": webhook.updated_at.as_millis(),
    };
    if let Some(OldSecret { secret, until }) = &webhook.old_secret {
        document.insert("old_secret", sealed(secret));
        document.insert("old_until", until.as_millis());
    }
    document
}

pub fn parse(document: &Document) -> Result<Stored<Webhook>, PortError> {
    let fields = Fields::of(PORT, document);
    let old = fields.any("old_secret", Fields::sealed)?;
    let webhook = Webhook {
        realm: fields.realm()?,
        id: fields.id("id").map(WebhookId::from_bytes)?,
        secret: fields.key("key")?,
        old_secret: match old {
            Some(secret) => Some(OldSecret { secret, until: fields.time("old_until")? }),
            None => None,
        },
        url: fields.text("url")?.to_owned(),
        kinds: EventKinds::from_text(fields.text("kinds")?),
        disabled: fields.flag("disabled")?,
        version: fields.number("version")?,
        created_at: fields.time("created_at")?,
        updated_at: fields.time("updated_at")?,
    };
    fields.with_mac(webhook)
}

impl Transaction<'_> {
    /// Applies the changes of webhooks.
    pub(super) async fn apply_to_webhooks(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::InsertWebhook(webhook) => {
                let id = key(&webhook.realm, webhook.id);
                if self.find(COLLECTION, doc! {"_id": id}).await?.is_some() {
                    return Err(Refusal::IdTaken.into());
                }
                let document = self.mongo.sign(&**webhook, print(webhook));
                self.mongo.collection(COLLECTION).insert_one(document).session(&mut *self.session).await?;
                Ok(())
            }
            Change::ReplaceWebhook { webhook, expected, new_secret } => {
                let which = doc! {"_id": key(&webhook.realm, webhook.id)};
                let found = self.find(COLLECTION, which.clone()).await?.ok_or(Refusal::WebhookGone)?;
                if !found.get_i64("version").is_ok_and(|version| version == signed(*expected)) {
                    return Err(Refusal::WebhookStale.into());
                }
                let mut document = self.mongo.sign(&**webhook, print(webhook));
                if let Some(stored) = found.get("key").filter(|_| !new_secret) {
                    document.insert("key", stored.clone());
                }
                let webhooks = self.mongo.collection(COLLECTION);
                webhooks.replace_one(which, document).session(&mut *self.session).await?;
                Ok(())
            }
            Change::RemoveWebhook { realm, id } => {
                let removed = self.delete_many(COLLECTION, doc! {"_id": key(realm, id)}).await?;
                if removed == 1 { Ok(()) } else { Err(Refusal::WebhookGone.into()) }
            }
            _ => Ok(()), // applied by `apply`
        }
    }
}

#[async_trait]
impl WebhookStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(doc! {"_id": key(realm, id)})).await?;
        let found = found.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, |webhook| webhook.realm == *realm && webhook.id == *id)
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Webhook>, PortError> {
        let webhooks = self.collection(COLLECTION);
        let found = webhooks.find(doc! {"realm": realm.as_str()}).sort(doc! {"id": 1});
        let documents: Vec<Document> = self.run(PORT, async { found.await?.try_collect().await }).await?;
        let mut all = self.verify_all(documents.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        all.retain(|webhook| webhook.realm == *realm);
        Ok(all)
    }
}
