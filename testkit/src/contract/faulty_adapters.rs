//! Adapters with one fault each, as they were shipped elsewhere: the contract suite names each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{Backend, prove};
use crate::fakes::rate_limiter::FakeRateLimiter;
use crate::faulty_token_store::{FaultyDatabase, IgnoresExpiry, ignores_expiry, uses_up_nothing};
use crate::locked::Locked;
use crate::race::{Threads, block_on};
use crate::samples::realm;
use crate::world::TestWorld;
use portcullis_core::model::ids::{JobId, SessionId, UserId};
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use portcullis_core::model::quota::{Bucket, Decision, Quota};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::{AccountPage, UserStore};
use portcullis_core::service::Ports;

/// The names of the cases that a backend does not keep.
fn caught(fresh: impl Fn() -> Backend) -> Vec<String> {
    let proven = block_on(prove(async || Ok(fresh()), Arc::new(Threads)));
    proven.expect_err("it has a hole").into_iter().map(|broken| broken.case).collect()
}

fn names(caught: &[String], case: &str) -> bool {
    caught.iter().any(|name| name == case)
}

/// Sessions of one realm for all.
struct MixesRealms(Arc<dyn SessionStore>);

#[async_trait]
impl SessionStore for MixesRealms {
    async fn find(&self, _: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.0.find(&realm("User1"), id).await
    }

    async fn find_with_account(
        &self,
        _: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        self.0.find_with_account(&realm("User1"), session, user).await
    }

    async fn list(&self, _: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.0.list(&realm("User1"), user).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.0.purge_expired(now).await
    }
}

/// A database that compares a session's version first and writes afterwards.
struct ComparesFirst {
    inner: Arc<dyn Database>,
    sessions: Arc<dyn SessionStore>,
    /// How many have compared.
    compared: AtomicUsize,
}

#[async_trait]
impl Database for ComparesFirst {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let [Change::ReplaceSession { session, expected }] = work.changes.as_slice() else {
            return self.inner.commit(work).await;
        };
        match self.sessions.find(&session.realm, &session.id).await? {
            None => Ok(Err(Refusal::SessionGone)),
            Some(stored) if stored.version != *expected => Ok(Err(Refusal::SessionStale)),
            Some(_) => {
                // a second round trip: yields to other threads, until another one has compared too
                let compared = self.compared.fetch_add(1, Ordering::SeqCst) + 1;
                let mut turns = 0;
                while compared == 1 && self.compared.load(Ordering::SeqCst) == 1 && turns < 200_000 {
                    std::thread::yield_now();
                    turns += 1;
                }
                self.inner.commit(UnitOfWork::of(Change::InsertSession(session.clone()))).await
            }
        }
    }
}

/// Accounts whose second index is written once and never again.
struct LosesTheSecondIndex {
    ports: Ports,
    emails: Locked<BTreeMap<(Realm, RingDigest), UserId>>,
}

#[async_trait]
impl Database for LosesTheSecondIndex {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let inserted = work.changes.iter().find_map(|change| match change {
            Change::InsertUser(user) => Some(((user.realm.clone(), user.person.email_index), user.id)),
            _ => None,
        });
        let outcome = self.ports.database.commit(work).await?;
        if let Some((key, id)) = inserted.filter(|_| outcome.is_ok()) {
            self.emails.lock().insert(key, id);
        }
        Ok(outcome)
    }
}

#[async_trait]
impl UserStore for LosesTheSecondIndex {
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.ports.users.find(realm, id).await
    }

    async fn find_by_email(&self, realm: &Realm, email: &RingDigest) -> Result<Option<User>, PortError> {
        let found = self.emails.lock().get(&(realm.clone(), *email)).copied();
        let Some(id) = found else { return Ok(None) };
        self.ports.users.find(realm, &id).await
    }

    async fn list(&self, realm: &Realm, after: Option<UserId>, limit: u32) -> Result<AccountPage, PortError> {
        self.ports.users.list(realm, after, limit).await
    }

    async fn has_passkeys(&self) -> Result<bool, PortError> {
        self.ports.users.has_passkeys().await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.ports.users.ping().await
    }
}

/// Limits that are looked at in one round trip and counted in the next.
#[derive(Default)]
struct CountsAfterwards {
    inner: FakeRateLimiter,
    looked: AtomicUsize,
}

#[async_trait]
impl RateLimiter for CountsAfterwards {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let exhausted = self.inner.is_exhausted(bucket, quota, now).await?;
        let looked = self.looked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut turns = 0;
        while looked == 1 && self.looked.load(Ordering::SeqCst) <= 5 && turns < 200_000 {
            std::thread::yield_now();
            turns += 1;
        }
        let counted = self.inner.take(bucket, quota, now).await?;
        Ok(Decision { allowed: !exhausted, ..counted })
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        self.inner.is_exhausted(bucket, quota, now).await
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        self.inner.give_back(bucket, quota, now).await
    }
}

/// A queue whose leases expire at once, so that two workers get the same job.
struct HandsOutTwice(Arc<dyn JobQueue>);

#[async_trait]
impl JobQueue for HandsOutTwice {
    async fn claim(&self, now: Timestamp, _lease: Duration) -> Result<Option<Job>, PortError> {
        self.0.claim(now, Duration::ZERO).await
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        self.0.complete(id).await
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        self.0.retry_at(id, at).await
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        self.0.dead_letter(id, reason, now).await
    }

    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        self.0.list_dead_letters(realm, limit).await
    }

    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError> {
        self.0.find_dead_letter(id).await
    }

    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError> {
        self.0.list_about(realm, subject, before, limit).await
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        self.0.depth().await
    }

    async fn wait(&self, at_most: Duration) {
        self.0.wait(at_most).await;
    }
}

/// A fresh world of fakes, of which each test breaks a part.
fn ports() -> Ports {
    TestWorld::new(1).ports()
}

#[test]
fn a_correct_store_passes_every_case() {
    let fresh = || Backend { session_store: Some(ports().sessions), ..Backend::default() };
    let unproven = block_on(prove(async || Ok(fresh()), Arc::new(Threads)));
    assert!(unproven.is_err(), "a store without the database that commits to it can't be proven");
    let fresh = || {
        let ports = ports();
        Backend { session_store: Some(ports.sessions), database: Some(ports.database), ..Backend::default() }
    };
    assert!(block_on(prove(async || Ok(fresh()), Arc::new(Threads))).is_ok_and(|kept| kept > 15));
}

#[test]
fn a_store_that_compares_before_it_writes_fails_the_race() {
    let caught = caught(|| {
        let ports = ports();
        let (inner, sessions) = (ports.database, ports.sessions);
        let database = ComparesFirst { inner, sessions: sessions.clone(), compared: AtomicUsize::new(0) };
        Backend { session_store: Some(sessions), database: Some(Arc::new(database)), ..Backend::default() }
    });
    assert!(names(&caught, "session_store::one_of_many_racing_rotations_wins"), "{caught:?}");
}

#[test]
fn a_store_that_mixes_realms_fails() {
    let caught = caught(|| {
        let ports = ports();
        let sessions = Arc::new(MixesRealms(ports.sessions));
        Backend { session_store: Some(sessions), database: Some(ports.database), ..Backend::default() }
    });
    assert!(names(&caught, "session_store::another_realm_is_another_world"), "{caught:?}");
}

#[test]
fn a_store_that_ignores_expiry_fails() {
    let caught = caught(|| {
        let ports = ports();
        let tokens = Arc::new(IgnoresExpiry(ports.one_time_tokens));
        let database = Arc::new(FaultyDatabase { inner: ports.database, fault: |change| Some(ignores_expiry(change)) });
        Backend { one_time_token_store: Some(tokens), database: Some(database), ..Backend::default() }
    });
    for case in ["lives_until_its_expiry_and_not_longer", "the_expired_are_not_consumed"] {
        assert!(names(&caught, &format!("one_time_token_store::{case}")), "{caught:?}");
    }
}

#[test]
fn a_store_that_never_uses_tokens_up_fails() {
    let caught = caught(|| {
        let ports = ports();
        let database = Arc::new(FaultyDatabase { inner: ports.database, fault: uses_up_nothing });
        let tokens = Some(ports.one_time_tokens);
        Backend { one_time_token_store: tokens, database: Some(database), ..Backend::default() }
    });
    assert!(caught.len() > 1 && caught.iter().all(|case| case.starts_with("one_time_token_store::")), "{caught:?}");
}

#[test]
fn a_store_without_the_second_index_fails() {
    let caught = caught(|| {
        let store = Arc::new(LosesTheSecondIndex { ports: ports(), emails: Locked::default() });
        Backend { user_store: Some(store.clone()), database: Some(store), ..Backend::default() }
    });
    assert!(names(&caught, "user_store::a_replacement_moves_the_email"), "{caught:?}");
}

#[test]
fn a_store_that_counts_after_it_read_fails_only_the_race() {
    let caught = caught(|| Backend { rate_limiter: Some(Arc::new(CountsAfterwards::default())), ..Backend::default() });
    assert_eq!(caught, ["rate_limiter::a_racing_crowd_gets_the_burst_and_no_more"]);
}

#[test]
fn a_queue_that_gives_a_job_to_two_workers_fails() {
    let caught = caught(|| {
        let ports = ports();
        let jobs = Arc::new(HandsOutTwice(ports.jobs));
        Backend { job_queue: Some(jobs), database: Some(ports.database), ..Backend::default() }
    });
    for case in ["a_claimed_job_is_out_of_sight_until_its_lease_ends", "one_of_many_racing_claims_gets_it"] {
        assert!(names(&caught, &format!("job_queue::{case}")), "{caught:?}");
    }
}

#[test]
fn a_backend_without_ports_passes_nothing() {
    let nothing = block_on(prove(async || Ok(Backend::default()), Arc::new(Threads)));
    assert!(nothing.unwrap_err().iter().any(|broken| broken.why.contains("nothing to prove")));
}

#[test]
fn a_backend_that_cannot_be_set_up_fails_every_case_with_its_reason() {
    let down = block_on(prove(async || Err("the server is away".into()), Arc::new(Threads)));
    assert!(down.unwrap_err().iter().all(|broken| broken.to_string().ends_with("the server is away")));
}
