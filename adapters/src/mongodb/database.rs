//! [`Database`] on MongoDB: a unit of work is one multi-document transaction, repeated while the server says that it lost a
//! race with another one.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;

use crate::job_text::{self, hex};
use crate::mongodb::documents::{binary, digest, has_digest, key, signed};
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
pub(super) enum Abort {
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

/// A running transaction.
pub(super) struct Transaction<'a> {
    pub(super) mongo: &'a MongoDb,
    pub(super) session: &'a mut ClientSession,
    pub(super) committed: Committed,
}

impl Transaction<'_> {
    async fn apply_all(&mut self, work: &UnitOfWork) -> Result<(), Abort> {
        for change in &work.changes {
            self.apply(change).await?;
        }
        if !work.jobs.is_empty() {
            let jobs: Vec<Document> =
                work.jobs.iter().map(|job| job_queue::print(&self.mongo.macs, &job_text::stored(job))).collect();
            self.mongo.collection("jobs").insert_many(jobs).session(&mut *self.session).await?;
        }
        if !work.events.is_empty() {
            let events: Vec<Document> =
                work.events.iter().map(|event| audit_log::print(&self.mongo.macs, event)).collect();
            self.mongo.collection("audit").insert_many(events).session(&mut *self.session).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::InsertRegistration { registration, limit, now } => {
                self.insert_registration(registration, *limit, *now).await
            }
            Change::CountRegistrationFailure { realm, id, limit } => {
                self.count_registration_failure(realm, id, *limit).await
            }
            Change::RemoveRegistration { realm, id } => self.remove_registration(realm, id).await,
            Change::RemoveRegistrations { realm, email } => self.remove_registrations(realm, email).await,
            Change::ReindexRegistration { realm, id, email } => self.reindex_registration(realm, id, *email).await,
            Change::InsertUser(user) => self.insert_user(user).await,
            Change::ReplaceUser { user, expected } => self.replace_user(user, *expected).await,
            Change::DeleteUser { realm, id, expected } => self.delete_user(realm, id, *expected).await,
            Change::InsertSession(session) => {
                self.insert("sessions", self.mongo.sign(&**session, session_store::print(session))).await
            }
            Change::ReplaceSession { session, expected } => self.replace_session(session, *expected).await,
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
            | Change::RequeueJob { .. }
            | Change::ForgetLogins { .. } => self.apply_to_tokens(change).await,
            Change::CheckReservation { .. }
            | Change::InsertUndo(_)
            | Change::LimitUndos { .. }
            | Change::ReindexUndo { .. }
            | Change::SetUndoToken { .. }
            | Change::UseUndo { .. }
            | Change::RemoveUndos { .. } => self.apply_to_undos(change).await,
            Change::InsertCredential(_) | Change::ReplaceCredential { .. } | Change::RemoveCredential { .. } => {
                self.apply_to_credentials(change).await
            }
            Change::InsertWebhook(_) | Change::ReplaceWebhook { .. } | Change::RemoveWebhook { .. } => {
                self.apply_to_webhooks(change).await
            }
        }
    }

    async fn replace_session(&mut self, session: &Session, expected: u64) -> Result<(), Abort> {
        let id = key(&session.realm, session.id);
        let which = doc! {"_id": &id, "version": signed(expected)};
        let sessions = self.mongo.collection("sessions");
        let replace = sessions.replace_one(which, self.mongo.sign(session, session_store::print(session)));
        if replace.session(&mut *self.session).await?.matched_count == 1 {
            return Ok(());
        }
        let exists = self.find("sessions", doc! {"_id": id}).await?.is_some();
        Err(if exists { Refusal::SessionStale } else { Refusal::SessionGone }.into())
    }

    /// Changes of one-time tokens and jobs, and erasures.
    async fn apply_to_tokens(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::PutToken(token) => {
                let which = doc! {"_id": one_time_token_store::id(&token.holder)};
                let tokens = self.mongo.collection(TOKENS);
                let document = self.mongo.sign(&**token, one_time_token_store::print(token));
                let put = tokens.replace_one(which, document).upsert(true);
                put.session(&mut *self.session).await?;
            }
            Change::UseToken { owner, token, now } => {
                let used = self.delete_many(TOKENS, valid(owner, token, *now)).await?;
                return if used == 1 { Ok(()) } else { Err(Refusal::TokenGone.into()) };
            }
            Change::SetCode { owner, token, code, tries, now } => {
                let which = valid(owner, token, *now);
                let found = self.find(TOKENS, which.clone()).await?.ok_or(Refusal::TokenGone)?;
                let found = self.mongo.verify(PORT, one_time_token_store::parse(&found)?)?;
                let changed = OneTimeToken { code: Some(*code), tries_left: *tries, ..found };
                let document = self.mongo.sign(&changed, one_time_token_store::print(&changed));
                let tokens = self.mongo.collection(TOKENS);
                tokens.replace_one(which, document).session(&mut *self.session).await?;
            }
            Change::RemoveToken(owner) => {
                self.delete_many(TOKENS, doc! {"_id": one_time_token_store::id(owner)}).await?;
            }
            Change::RemoveTokens { realm, subject } => self.remove_tokens(realm, subject).await?,
            Change::ForgetJobs { realm, subject } => {
                self.delete_many("jobs", doc! {"about": {"$in": job_queue::all_about(realm, subject)}}).await?;
            }
            Change::RequeueJob { realm, id, now } => {
                let mut dead = job_queue::dead(id);
                dead.insert("realm", realm.as_str());
                let jobs = self.mongo.collection("jobs");
                let requeue = jobs.update_one(dead, job_queue::queued_again(*now));
                let queued = requeue.session(&mut *self.session).await?.matched_count;
                return if queued == 1 { Ok(()) } else { Err(Refusal::JobGone.into()) };
            }
            Change::ForgetLogins { realm, email } => {
                self.delete_many(login_guard::COLLECTION, doc! {"_id": key(realm, hex(email))}).await?;
            }
            _ => {} // the others are applied by `apply`, which names each
        }
        Ok(())
    }

    async fn insert_user(&mut self, user: &User) -> Result<(), Abort> {
        if self.find("users", doc! {"_id": key(&user.realm, user.id)}).await?.is_some() {
            return Err(Refusal::IdTaken.into());
        }
        self.check_email(user).await?;
        self.insert("users", self.mongo.sign(user, user_store::print(user))).await
    }

    async fn replace_user(&mut self, user: &User, expected: u64) -> Result<(), Abort> {
        self.expect_user(&user.realm, &user.id, expected).await?;
        self.check_email(user).await?;
        let which = doc! {"_id": key(&user.realm, user.id)};
        let users = self.mongo.collection("users");
        users
            .update_one(which, user_store::replacement(self.mongo.sign(user, user_store::print(user))))
            .session(&mut *self.session)
            .await?;
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
            "email_index": has_digest(&user.person.email_index),
            "_id": {"$ne": key(&user.realm, user.id)},
        };
        if self.find("users", which).await?.is_some() { Err(Refusal::EmailTaken.into()) } else { Ok(()) }
    }

    pub(super) async fn remove_tokens(&mut self, realm: &Realm, subject: &UserId) -> Result<(), Abort> {
        let id = |purpose: &Purpose| one_time_token_store::id_of(realm, *purpose, subject);
        let ids: Vec<String> = Purpose::ALL.iter().map(id).collect();
        self.delete_many(TOKENS, doc! {"_id": {"$in": ids}}).await?;
        Ok(())
    }

    pub(super) async fn find(&mut self, collection: &str, which: Document) -> Result<Option<Document>, Abort> {
        Ok(self.mongo.collection(collection).find_one(which).session(&mut *self.session).await?)
    }

    async fn insert(&mut self, collection: &str, document: Document) -> Result<(), Abort> {
        self.mongo.collection(collection).insert_one(document).session(&mut *self.session).await?;
        Ok(())
    }

    pub(super) async fn delete_many(&mut self, collection: &str, which: Document) -> Result<u64, Abort> {
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
        // registrations of one address are stored one after another: they would lose races with each other until the
        // deadline
        let address = work.changes.iter().find_map(|change| match change {
            Change::InsertRegistration { registration, .. } => {
                // the same for each order of the ring
                let index = &registration.person.email_index;
                index.all().min().map(|digest| key(&registration.realm, hex(digest)))
            }
            _ => None,
        });
        let _turn = match &address {
            Some(address) => {
                let turn = self.document_locks.lock(registration_store::COLLECTION, address);
                let turn = tokio::time::timeout(OPERATION_TIMEOUT, turn).await;
                Some(turn.map_err(|_| PortError::new(PORT, "too many registrations of one address at once"))?)
            }
            None => None,
        };
        let transaction = Box::pin(async { Ok(self.transact(&work).await) });
        let outcome = self.pool.run_within(OPERATION_TIMEOUT, PORT, transaction).await??;
        if outcome.is_ok() && !work.jobs.is_empty() {
            self.wake();
        }
        Ok(outcome)
    }
}
