//! [`OneTimeTokenStore`] on MongoDB. `Change::UseToken` uses a token up; `try_code` spends a try by compare-and-swap.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, date, digest, key};

const PORT: &str = "one_time_token_store";

pub fn id(holder: &TokenOwner) -> String {
    id_of(&holder.realm, holder.purpose, &holder.subject)
}

pub fn id_of(realm: &Realm, purpose: Purpose, subject: &UserId) -> String {
    key(realm, format_args!("{}/{subject}", purpose.as_str()))
}

pub fn print(token: &OneTimeToken) -> Document {
    let mut document = doc! {
        "_id": id(&token.holder),
        "realm": token.holder.realm.as_str(),
        "purpose": token.holder.purpose.as_str(),
        "subject": binary(token.holder.subject.as_bytes()),
        "token": digest(&token.token),
        "tries_left": i32::from(token.tries_left),
        "created_at": token.created_at.as_millis(),
        "expires_at": token.expires_at.as_millis(),
        "purge_after": date(token.expires_at),
    };
    if let Some(code) = &token.code {
        document.insert("code", digest(code));
    }
    if let Some(binding) = &token.binding {
        document.insert("binding", digest(binding));
    }
    document
}

pub fn parse(document: &Document) -> Result<Stored<OneTimeToken>, PortError> {
    let fields = Fields::of(PORT, document);
    let purpose = Purpose::parse(fields.text("purpose")?).ok_or_else(|| fields.unreadable("purpose"))?;
    let subject = fields.id("subject").map(UserId::from_bytes)?;
    let token = OneTimeToken {
        holder: TokenOwner { realm: fields.realm()?, purpose, subject },
        token: fields.digest("token")?,
        code: fields.any("code", Fields::digest)?,
        tries_left: fields.number("tries_left")?,
        binding: fields.any("binding", Fields::digest)?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
    };
    fields.with_mac(token)
}

impl MongoDb {
    /// The unexpired token of that digest or owner.
    async fn find_token(&self, of: &CodeLookup, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        let mut which = match of {
            CodeLookup::Token(realm, purpose, token) => {
                doc! {"realm": realm.as_str(), "purpose": purpose.as_str(), "token": digest(token)}
            }
            CodeLookup::Owner(holder) => doc! {"_id": id(holder)},
        };
        which.insert("expires_at", doc! {"$gt": now.as_millis()});
        let found = self.run(PORT, self.collection("one_time_tokens").find_one(which)).await?;
        let found = found.as_ref().map(parse).transpose()?;
        let found = self.verify_named(PORT, found, |found| match of {
            CodeLookup::Token(realm, purpose, token) => {
                found.holder.realm == *realm && found.holder.purpose == *purpose && found.token == *token
            }
            CodeLookup::Owner(holder) => found.holder == *holder,
        })?;
        Ok(found.filter(|found| found.expires_at > now))
    }
}

#[async_trait]
impl OneTimeTokenStore for MongoDb {
    async fn find_valid(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.find_token(&CodeLookup::Token(realm.clone(), purpose, *token), now).await
    }

    async fn find(&self, holder: &TokenOwner, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.find_token(&CodeLookup::Owner(holder.clone()), now).await
    }

    async fn try_code(&self, of: &CodeLookup, code: &Digest, now: Timestamp) -> Result<CodeAttempt, PortError> {
        let tokens = self.collection("one_time_tokens");
        loop {
            let found = self.find_token(of, now).await?;
            let Some(mut found) = found.filter(|found| found.code.is_some() && found.tries_left > 0) else {
                return Ok(CodeAttempt::Dead);
            };
            // the try is spent first, by compare-and-swap: a lost race reads again
            let as_read = doc! {"_id": id(&found.holder), "mac": binary(&self.macs.sign(&found))};
            found.tries_left -= 1;
            let spent = doc! {"tries_left": i32::from(found.tries_left), "mac": binary(&self.macs.sign(&found))};
            if self.run(PORT, tokens.update_one(as_read, doc! {"$set": spent})).await?.matched_count == 0 {
                continue;
            }
            let right = found.code.is_some_and(|right| right.matches(code));
            return Ok(if right { CodeAttempt::Right(found) } else { CodeAttempt::Wrong(found.holder) });
        }
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let dead = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection("one_time_tokens").delete_many(dead)).await?.deleted_count)
    }
}
