//! [`OneTimeTokenStore`] on MongoDB. `Change::UseToken` uses a token up; `try_code` spends a try in one atomic
//! update.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

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

pub fn parse(document: &Document) -> Result<OneTimeToken, PortError> {
    let fields = Fields::of(PORT, document);
    let purpose = Purpose::parse(fields.text("purpose")?).ok_or_else(|| fields.unreadable("purpose"))?;
    let subject = fields.id("subject").map(UserId::from_bytes)?;
    Ok(OneTimeToken {
        holder: TokenOwner { realm: fields.realm()?, purpose, subject },
        token: fields.digest("token")?,
        code: fields.any("code", Fields::digest)?,
        tries_left: fields.number("tries_left")?,
        binding: fields.any("binding", Fields::digest)?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
    })
}

fn living(realm: &Realm, purpose: Purpose, token: &Digest, now: Timestamp) -> Document {
    let alive = doc! {"$gt": now.as_millis()};
    doc! {"realm": realm.as_str(), "purpose": purpose.as_str(), "token": digest(token), "expires_at": alive}
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
        let tokens = self.collection("one_time_tokens");
        self.run(PORT, tokens.find_one(living(realm, purpose, token, now))).await?.as_ref().map(parse).transpose()
    }

    async fn find(&self, holder: &TokenOwner, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        let which = doc! {"_id": id(holder), "expires_at": {"$gt": now.as_millis()}};
        let found = self.run(PORT, self.collection("one_time_tokens").find_one(which)).await?;
        found.as_ref().map(parse).transpose()
    }

    async fn try_code(&self, of: &CodeLookup, code: &Digest, now: Timestamp) -> Result<CodeAttempt, PortError> {
        let tokens = self.collection("one_time_tokens");
        let mut which = match of {
            CodeLookup::Token(realm, purpose, token) => living(realm, *purpose, token, now),
            CodeLookup::Owner(holder) => doc! {"_id": id(holder), "expires_at": {"$gt": now.as_millis()}},
        };
        which.insert("code", doc! {"$exists": true});
        which.insert("tries_left", doc! {"$gt": 0});
        // the try is spent first, by the server, so that no race gets more of them
        let spend = tokens.find_one_and_update(which, doc! {"$inc": {"tries_left": -1}});
        let spent = self.run(PORT, spend.return_document(ReturnDocument::After)).await?;
        let Some(found) = spent.as_ref().map(parse).transpose()? else { return Ok(CodeAttempt::Dead) };
        if !found.code.is_some_and(|right| right.matches(code)) {
            return Ok(CodeAttempt::Wrong(found.holder));
        }
        Ok(CodeAttempt::Right(found))
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let dead = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection("one_time_tokens").delete_many(dead)).await?.deleted_count)
    }
}
