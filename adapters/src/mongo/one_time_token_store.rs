//! [`OneTimeTokenStore`] on MongoDB. What must happen once is the deletion of one document: one caller sees it.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{Holder, OneTimeToken, Purpose};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeOf, OneTimeTokenStore, TryCode};

use crate::mongo::documents::{Fields, date, digest, key};
use crate::mongo::{Failure, Mongo, binary, run};

const PORT: &str = "one_time_token_store";
/// Two that put a first token for one holder at once meet in the index; the second try replaces.
const TRIES: usize = 4;

fn id(holder: &Holder) -> String {
    id_of(&holder.realm, holder.purpose, &holder.subject)
}

fn id_of(realm: &Realm, purpose: Purpose, subject: &UserId) -> String {
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
        holder: Holder { realm: fields.realm()?, purpose, subject },
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
impl OneTimeTokenStore for Mongo {
    async fn put(&self, token: OneTimeToken) -> Result<(), PortError> {
        let tokens = self.collection("one_time_tokens");
        let which = doc! {"_id": id(&token.holder)};
        for left in (0..TRIES).rev() {
            match run(PORT, tokens.replace_one(which.clone(), print(&token)).upsert(true)).await {
                Err(Failure::Taken(_)) if left > 0 => {}
                done => {
                    done?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn peek(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        let tokens = self.collection("one_time_tokens");
        run(PORT, tokens.find_one(living(realm, purpose, token, now))).await?.as_ref().map(parse).transpose()
    }

    async fn find(&self, holder: &Holder, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        let which = doc! {"_id": id(holder), "expires_at": {"$gt": now.as_millis()}};
        let found = run(PORT, self.collection("one_time_tokens").find_one(which)).await?;
        found.as_ref().map(parse).transpose()
    }

    async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        let tokens = self.collection("one_time_tokens");
        run(PORT, tokens.find_one_and_delete(living(realm, purpose, token, now))).await?.as_ref().map(parse).transpose()
    }

    async fn arm(
        &self,
        holder: &Holder,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let which = doc! {"_id": id(holder), "token": digest(token), "expires_at": {"$gt": now.as_millis()}};
        let armed = doc! {"$set": {"code": digest(&code), "tries_left": i32::from(tries)}};
        let done = run(PORT, self.collection("one_time_tokens").update_one(which, armed)).await?;
        Ok(done.matched_count == 1)
    }

    async fn try_code(&self, of: &CodeOf, code: &Digest, now: Timestamp) -> Result<TryCode, PortError> {
        let tokens = self.collection("one_time_tokens");
        let mut which = match of {
            CodeOf::Token(realm, purpose, token) => living(realm, *purpose, token, now),
            CodeOf::Holder(holder) => doc! {"_id": id(holder), "expires_at": {"$gt": now.as_millis()}},
        };
        which.insert("code", doc! {"$exists": true});
        which.insert("tries_left", doc! {"$gt": 0});
        // the try is spent first, by the server, so that no race gets more of them
        let spend = tokens.find_one_and_update(which, doc! {"$inc": {"tries_left": -1}});
        let spent = run(PORT, spend.return_document(ReturnDocument::After)).await?;
        let Some(found) = spent.as_ref().map(parse).transpose()? else { return Ok(TryCode::Dead) };
        if !found.code.is_some_and(|right| right.matches(code)) {
            return Ok(TryCode::Wrong(found.holder));
        }
        // of several right ones at once, and of a link followed meanwhile, one deletes it
        let same = doc! {"_id": id(&found.holder), "token": digest(&found.token), "code": digest(code)};
        let won = run(PORT, tokens.delete_one(same)).await?.deleted_count == 1;
        Ok(if won { TryCode::Right(found) } else { TryCode::Dead })
    }

    async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        let ids: Vec<String> = Purpose::ALL.iter().map(|purpose| id_of(realm, *purpose, subject)).collect();
        run(PORT, self.collection("one_time_tokens").delete_many(doc! {"_id": {"$in": ids}})).await?;
        Ok(())
    }

    async fn remove(&self, holder: &Holder) -> Result<(), PortError> {
        run(PORT, self.collection("one_time_tokens").delete_one(doc! {"_id": id(holder)})).await?;
        Ok(())
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let dead = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(run(PORT, self.collection("one_time_tokens").delete_many(dead)).await?.deleted_count)
    }
}
