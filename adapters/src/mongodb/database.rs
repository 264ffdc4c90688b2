//! [`Database`] on MongoDB: a unit of work is one multi-document transaction, repeated while the server says that it lost a
//! race with another one.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::job::JobSubject;
use portcullis_core::model::one_time_token::{Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::{Registration, User};
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;

use crate::mongodb::compare_and_swap::REVISION;
use crate::mongodb::documents::{binary, digest, hex, key, signed};
use crate::mongodb::failure::is_duplicate;
use crate::mongodb::pool::OPERATION_TIMEOUT;
use crate::mongodb::{
    MongoDb, audit_log, job_queue, login_guard, one_time_token_store, registration_store, session_store, user_store,
};

const PORT: &str = "database";
const TOKENS: &str = "one_time_tokens";
/// The pause after the n-th lost race is n times this. The deadline of the operation ends the attempts.
const BACKOFF: Duration = Duration::from_millis(4);

/// Why a transaction ends without a commit.
enum Abort {
    /// A condition of a change does not hold.
    Refused(Refusal),
    /// The driver or the server failed; a lost race is one of these.
    Failed(Error),
    /// A document is not one that this version wrote.
    Unreadable(PortError),
}

impl From<Error> for Abort {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<PortError> for Abort {
    fn from(error: PortError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Refusal> for Abort {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// One transaction under way.
struct Transaction<'a> {
    mongo: &'a MongoDb,
    session: &'a mut ClientSession,
    committed: Committed,
}

impl Transaction<'_> {
    async fn apply_all(&mut self, work: &UnitOfWork) -> Result<(), Abort> {
        for change in &work.changes {
            self.apply(change).await?;
        }
        if !work.jobs.is_empty() {
            let jobs: Vec<Document> = work.jobs.iter().map(job_queue::print).collect();
            self.mongo.collection("jobs").insert_many(jobs).session(&mut *self.session).await?;
        }
        if !work.events.is_empty() {
            let events: Vec<Document> = work.events.iter().map(audit_log::print).collect();
            self.mongo.collection("audit").insert_many(events).session(&mut *self.session).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::InsertRegistration { registration, limit, now } => {
                self.insert_registration(registration, *limit, *now).await
            }
            Change::ExtendRegistration { realm, id, expires_at, now } => {
                self.extend_registration(realm, id, *expires_at, *now).await
            }
            Change::RemoveRegistration { realm, id } => self.remove_registration(realm, id).await,
            Change::RemoveRegistrations { realm, email } => self.remove_registrations(realm, email).await,
            Change::InsertUser(user) => self.insert_user(user).await,
            Change::ReplaceUser { user, expected } => self.replace_user(user, *expected).await,
            Change::DeleteUser { realm, id, expected } => self.delete_user(realm, id, *expected).await,
            Change::InsertSession(session) => self.insert("sessions", session_store::print(session)).await,
            Change::ReplaceSession { session, expected } => {
                let id = key(&session.realm, session.id);
                let which = doc! {"_id": &id, "version": signed(*expected)};
                let sessions = self.mongo.collection("sessions");
                let replace = sessions.replace_one(which, session_store::print(session));
                if replace.session(&mut *self.session).await?.matched_count == 1 {
                    return Ok(());
                }
                let exists = self.find("sessions", doc! {"_id": id}).await?.is_some();
                Err(if exists { Refusal::SessionStale } else { Refusal::SessionGone }.into())
            }
            Change::EndSession { realm, id, .. } => {
                let ended = self.delete_many("sessions", doc! {"_id": key(realm, id)}).await?;
                if ended == 1 { Ok(()) } else { Err(Refusal::SessionGone.into()) }
            }
            Change::EndSessions { realm, user, except } => {
                let mut which = doc! {"user": key(realm, user)};
                if let Some(except) = except {
                    which.insert("_id", doc! {"$ne": key(realm, except)});
                }
                self.committed.sessions += self.delete_many("sessions", which).await?;
                Ok(())
            }
            Change::PutToken(_)
            | Change::UseToken { .. }
            | Change::SetCode { .. }
            | Change::RemoveToken(_)
            | Change::RemoveTokens { .. }
            | Change::ForgetJobs { .. }
            | Change::ForgetLogins { .. } => self.apply_to_tokens(change).await,
        }
    }

    /// Changes of one-time tokens, and erasures.
    async fn apply_to_tokens(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::PutToken(token) => {
                let which = doc! {"_id": one_time_token_store::id(&token.holder)};
                let tokens = self.mongo.collection(TOKENS);
                let put = tokens.replace_one(which, one_time_token_store::print(token)).upsert(true);
                put.session(&mut *self.session).await?;
            }
            Change::UseToken { owner, token, now } => {
                let used = self.delete_many(TOKENS, valid(owner, token, *now)).await?;
                return if used == 1 { Ok(()) } else { Err(Refusal::TokenGone.into()) };
            }
            Change::SetCode { owner, token, code, tries, now } => {
                let set = doc! {"$set": {"code": digest(code), "tries_left": i32::from(*tries)}};
                let tokens = self.mongo.collection(TOKENS);
                let update = tokens.update_one(valid(owner, token, *now), set);
                if update.session(&mut *self.session).await?.matched_count == 0 {
                    return Err(Refusal::TokenGone.into());
                }
            }
            Change::RemoveToken(owner) => {
                self.delete_many(TOKENS, doc! {"_id": one_time_token_store::id(owner)}).await?;
            }
            Change::RemoveTokens { realm, subject } => self.remove_tokens(realm, subject).await?,
            Change::ForgetJobs { realm, subject } => {
                self.delete_many("jobs", doc! {"about": job_queue::about(realm, subject)}).await?;
            }
            Change::ForgetLogins { realm, email } => {
                self.delete_many(login_guard::COLLECTION, doc! {"_id": key(realm, hex(email))}).await?;
            }
            Change::InsertRegistration { .. }
            | Change::ExtendRegistration { .. }
            | Change::RemoveRegistration { .. }
            | Change::RemoveRegistrations { .. }
            | Change::InsertUser(_)
            | Change::ReplaceUser { .. }
            | Change::DeleteUser { .. }
            | Change::InsertSession(_)
            | Change::ReplaceSession { .. }
            | Change::EndSession { .. }
            | Change::EndSessions { .. } => {} // applied by `apply`
        }
        Ok(())
    }

    async fn insert_user(&mut self, user: &User) -> Result<(), Abort> {
        if self.find("users", doc! {"_id": key(&user.realm, user.id)}).await?.is_some() {
            return Err(Refusal::IdTaken.into());
        }
        self.check_email(user).await?;
        self.insert("users", user_store::print(user)).await
    }

    async fn replace_user(&mut self, user: &User, expected: u64) -> Result<(), Abort> {
        self.expect_user(&user.realm, &user.id, expected).await?;
        self.check_email(user).await?;
        let which = doc! {"_id": key(&user.realm, user.id)};
        let users = self.mongo.collection("users");
        users.update_one(which, user_store::replacement(user)).session(&mut *self.session).await?;
        Ok(())
    }

    /// The key is overwritten first, so that what the server keeps of deleted documents has none. Its journal and oplog
    /// forget in their own time.
    async fn delete_user(&mut self, realm: &Realm, id: &UserId, expected: u64) -> Result<(), Abort> {
        self.expect_user(realm, id, expected).await?;
        let which = doc! {"_id": key(realm, id)};
        let overwrite = doc! {"$set": {"key": binary(&[0; 64])}};
        let users = self.mongo.collection("users");
        users.update_one(which.clone(), overwrite).session(&mut *self.session).await?;
        self.delete_many("users", which).await?;
        Ok(())
    }

    async fn expect_user(&mut self, realm: &Realm, id: &UserId, expected: u64) -> Result<(), Abort> {
        let found = self.find("users", doc! {"_id": key(realm, id)}).await?.ok_or(Refusal::UserGone)?;
        let same = found.get_i64("version").is_ok_and(|version| version == signed(expected));
        if same { Ok(()) } else { Err(Refusal::UserStale.into()) }
    }

    /// Another account that commits at the same moment meets this one in the unique index.
    async fn check_email(&mut self, user: &User) -> Result<(), Abort> {
        let which = doc! {
            "realm": user.realm.as_str(),
            "email_index": digest(&user.person.email_index),
            "_id": {"$ne": key(&user.realm, user.id)},
        };
        if self.find("users", which).await?.is_some() { Err(Refusal::EmailTaken.into()) } else { Ok(()) }
    }

    async fn insert_registration(
        &mut self,
        registration: &Registration,
        limit: u32,
        now: Timestamp,
    ) -> Result<(), Abort> {
        let address = key(&registration.realm, hex(&registration.person.email_index));
        let found = self.find(registration_store::COLLECTION, doc! {"_id": &address}).await?;
        let mut all = registration_store::waiting(found.as_ref())?;
        if all.len() >= registration_store::MOST {
            all.retain(|other| other.expires_at > now);
        }
        let pending = all.iter().filter(|other| other.expires_at > now).count();
        if pending >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Refusal::RegistrationsFull.into());
        }
        all.push(registration.clone());
        self.put_registrations(address, found.as_ref(), &all).await
    }

    async fn extend_registration(
        &mut self,
        realm: &Realm,
        id: &UserId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Abort> {
        let found = self.find(registration_store::COLLECTION, doc! {"ids": key(realm, id)}).await?;
        let mut all = registration_store::waiting(found.as_ref())?;
        let one = all.iter_mut().find(|one| one.id == *id && one.expires_at > now);
        one.ok_or(Refusal::RegistrationGone)?.expires_at = expires_at;
        let address = found.as_ref().and_then(|found| found.get_str("_id").ok()).unwrap_or_default().to_owned();
        self.put_registrations(address, found.as_ref(), &all).await
    }

    async fn remove_registration(&mut self, realm: &Realm, id: &UserId) -> Result<(), Abort> {
        self.forget_registration(realm, id).await?;
        let found = self.find(registration_store::COLLECTION, doc! {"ids": key(realm, id)}).await?;
        let Some(found) = found else { return Ok(()) };
        let mut all = registration_store::waiting(Some(&found))?;
        all.retain(|one| one.id != *id);
        let address = found.get_str("_id").unwrap_or_default().to_owned();
        self.put_registrations(address, Some(&found), &all).await
    }

    async fn remove_registrations(&mut self, realm: &Realm, email: &Digest) -> Result<(), Abort> {
        let which = doc! {"_id": key(realm, hex(email))};
        let found = self.find(registration_store::COLLECTION, which.clone()).await?;
        for registration in registration_store::waiting(found.as_ref())? {
            self.forget_registration(realm, &registration.id).await?;
            self.committed.registrations.push(registration.id);
        }
        self.delete_many(registration_store::COLLECTION, which).await?;
        Ok(())
    }

    /// Stores the document of an address that was read in this transaction.
    async fn put_registrations(
        &mut self,
        address: String,
        found: Option<&Document>,
        all: &[Registration],
    ) -> Result<(), Abort> {
        let swaps = found.map_or(0, |found| found.get_i64(REVISION).unwrap_or_default().wrapping_add(1));
        let which = doc! {"_id": &address};
        let Some(mut document) = registration_store::document(all) else {
            self.delete_many(registration_store::COLLECTION, which).await?;
            return Ok(());
        };
        document.insert("_id", &address);
        document.insert(REVISION, swaps);
        let registrations = self.mongo.collection(registration_store::COLLECTION);
        registrations.replace_one(which, document).upsert(true).session(&mut *self.session).await?;
        Ok(())
    }

    /// Removes the one-time tokens and jobs of a registration.
    async fn forget_registration(&mut self, realm: &Realm, id: &UserId) -> Result<(), Abort> {
        self.remove_tokens(realm, id).await?;
        let jobs = doc! {"about": job_queue::about(realm, &JobSubject::Subject(*id))};
        self.delete_many("jobs", jobs).await?;
        Ok(())
    }

    async fn remove_tokens(&mut self, realm: &Realm, subject: &UserId) -> Result<(), Abort> {
        let id = |purpose: &Purpose| one_time_token_store::id_of(realm, *purpose, subject);
        let ids: Vec<String> = Purpose::ALL.iter().map(id).collect();
        self.delete_many(TOKENS, doc! {"_id": {"$in": ids}}).await?;
        Ok(())
    }

    async fn find(&mut self, collection: &str, which: Document) -> Result<Option<Document>, Abort> {
        Ok(self.mongo.collection(collection).find_one(which).session(&mut *self.session).await?)
    }

    async fn insert(&mut self, collection: &str, document: Document) -> Result<(), Abort> {
        self.mongo.collection(collection).insert_one(document).session(&mut *self.session).await?;
        Ok(())
    }

    async fn delete_many(&mut self, collection: &str, which: Document) -> Result<u64, Abort> {
        let deleted = self.mongo.collection(collection).delete_many(which).session(&mut *self.session).await?;
        Ok(deleted.deleted_count)
    }
}

/// The unexpired token of an owner, if it is the one of that digest.
fn valid(owner: &TokenOwner, token: &Digest, now: Timestamp) -> Document {
    let unexpired = doc! {"$gt": now.as_millis()};
    doc! {"_id": one_time_token_store::id(owner), "token": digest(token), "expires_at": unexpired}
}

impl MongoDb {
    /// Runs the transaction until it is committed, refused or fails for another reason than a race.
    async fn transact(&self, work: &UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let failed = |error| PortError::new(PORT, error);
        let mut session = self.pool.database().client().start_session().await.map_err(failed)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            session.start_transaction().await.map_err(failed)?;
            let mut transaction = Transaction { mongo: self, session: &mut session, committed: Committed::default() };
            let applied = transaction.apply_all(work).await;
            let committed = transaction.committed;
            let error = match applied {
                Ok(()) => match commit(&mut session).await {
                    Ok(()) => return Ok(Ok(committed)),
                    Err(error) => error,
                },
                Err(Abort::Refused(refusal)) => {
                    // the server ends the transaction by itself if this fails
                    let _ = session.abort_transaction().await;
                    return Ok(Err(refusal));
                }
                Err(Abort::Unreadable(error)) => return Err(error),
                Err(Abort::Failed(error)) => {
                    let _ = session.abort_transaction().await;
                    error
                }
            };
            // a duplicate key is a race too: what it met is seen by the next attempt
            if !error.contains_label(TRANSIENT_TRANSACTION_ERROR) && !is_duplicate(&error) {
                return Err(failed(error));
            }
            tokio::time::sleep(BACKOFF * attempt).await;
        }
    }
}

/// Commits; an unknown outcome is asked for again, which the server answers without a second commit.
async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    loop {
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {}
            done => return done,
        }
    }
}

#[async_trait]
impl Database for MongoDb {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let transaction = Box::pin(async { Ok(self.transact(&work).await) });
        let outcome = self.pool.run_within(OPERATION_TIMEOUT, PORT, transaction).await??;
        if outcome.is_ok() && !work.jobs.is_empty() {
            self.wake();
        }
        Ok(outcome)
    }
}
