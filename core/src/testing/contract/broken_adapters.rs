//! Adapters with a hole each, such as were really shipped elsewhere: the contract names every one of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{Backend, prove};
use crate::model::held_key::{KeyPage, KeySwap};
use crate::model::ids::{JobId, SessionId, UserId};
use crate::model::job::{About, DeadLetter, Job};
use crate::model::quota::{Bucket, Decision, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::ports::job_queue::{JobQueue, QueueDepth};
use crate::ports::rate_limiter::RateLimiter;
use crate::ports::session_store::{RotateSession, SessionStore};
use crate::ports::user_store::{InsertUser, ReplaceUser, UserStore};
use crate::testing::bent_tokens::BentTokens;
use crate::testing::fakes::job_queue::FakeJobQueue;
use crate::testing::fakes::rate_limiter::FakeRateLimiter;
use crate::testing::fakes::session_store::FakeSessionStore;
use crate::testing::fakes::user_store::FakeUserStore;
use crate::testing::locked::Locked;
use crate::testing::race::{Threads, block_on};
use crate::testing::samples::realm;

/// The names of the cases that a backend does not keep.
fn caught(fresh: impl Fn() -> Backend) -> Vec<String> {
    let proven = block_on(prove(async || Ok(fresh()), Arc::new(Threads)));
    proven.expect_err("it has a hole").into_iter().map(|broken| broken.case).collect()
}

fn names(caught: &[String], case: &str) -> bool {
    caught.iter().any(|name| name == case)
}

/// Sessions with one hole or another.
struct Sessions {
    inner: FakeSessionStore,
    /// Looks, and writes afterwards.
    forgets_to_be_atomic: bool,
    /// One realm for all.
    mixes_realms: bool,
    /// How many have looked.
    looked: AtomicUsize,
}

impl Sessions {
    fn realm(&self, asked: &Realm) -> Realm {
        if self.mixes_realms { realm("User1") } else { asked.clone() }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.inner.insert(session).await
    }

    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.inner.find(&self.realm(realm), id).await
    }

    async fn rotate(&self, session: Session, expected: u64) -> Result<RotateSession, PortError> {
        if !self.forgets_to_be_atomic {
            return self.inner.rotate(session, expected).await;
        }
        match self.inner.find(&session.realm, &session.id).await? {
            None => Ok(RotateSession::Gone),
            Some(stored) if stored.version != expected => Ok(RotateSession::Stale),
            Some(_) => {
                // what a second round trip to a database is: everybody else's turn, until someone has looked too
                let looked = self.looked.fetch_add(1, Ordering::SeqCst) + 1;
                let mut turns = 0;
                while looked == 1 && self.looked.load(Ordering::SeqCst) == 1 && turns < 200_000 {
                    std::thread::yield_now();
                    turns += 1;
                }
                self.inner.insert(session).await?;
                Ok(RotateSession::Rotated)
            }
        }
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.inner.list(&self.realm(realm), user).await
    }

    async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError> {
        self.inner.end(&self.realm(realm), id).await
    }

    async fn end_all(&self, realm: &Realm, user: &UserId, except: Option<SessionId>) -> Result<u64, PortError> {
        self.inner.end_all(&self.realm(realm), user, except).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.inner.purge_expired(now).await
    }
}

/// Accounts whose second index is written once and never again.
#[derive(Default)]
struct LosesTheSecondIndex {
    inner: FakeUserStore,
    emails: Locked<BTreeMap<(Realm, Digest), UserId>>,
}

#[async_trait]
impl UserStore for LosesTheSecondIndex {
    async fn insert(&self, user: User) -> Result<InsertUser, PortError> {
        let (key, id) = ((user.realm.clone(), user.person.email_index), user.id);
        let inserted = self.inner.insert(user).await?;
        if inserted == InsertUser::Inserted {
            self.emails.lock().insert(key, id);
        }
        Ok(inserted)
    }

    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.inner.find(realm, id).await
    }

    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError> {
        let found = self.emails.lock().get(&(realm.clone(), *email)).copied();
        let Some(id) = found else { return Ok(None) };
        self.inner.find(realm, &id).await
    }

    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError> {
        self.inner.replace(user, expected).await
    }

    async fn keys(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError> {
        self.inner.keys(behind, limit).await
    }

    async fn swap_keys(&self, swaps: Vec<KeySwap>) -> Result<u64, PortError> {
        self.inner.swap_keys(swaps).await
    }

    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        self.inner.delete(realm, id).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.inner.ping().await
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

/// Jobs that whoever looks may have.
#[derive(Default)]
struct HandsOutTwice(FakeJobQueue);

#[async_trait]
impl JobQueue for HandsOutTwice {
    async fn enqueue(&self, job: Job) -> Result<(), PortError> {
        self.0.enqueue(job).await
    }

    async fn claim(&self, now: Timestamp, _lease: Duration) -> Result<Option<Job>, PortError> {
        self.0.claim(now, Duration::ZERO).await
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        self.0.complete(id).await
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        self.0.retry_at(id, at).await
    }

    async fn bury(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        self.0.bury(id, reason, now).await
    }

    async fn dead(&self, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        self.0.dead(limit).await
    }

    async fn revive(&self, id: &JobId, now: Timestamp) -> Result<bool, PortError> {
        self.0.revive(id, now).await
    }

    async fn forget(&self, realm: &Realm, about: &About) -> Result<(), PortError> {
        self.0.forget(realm, about).await
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        self.0.depth().await
    }

    async fn wait(&self, at_most: Duration) {
        self.0.wait(at_most).await;
    }
}

fn sessions(forgets_to_be_atomic: bool, mixes_realms: bool) -> Backend {
    let inner = FakeSessionStore::default();
    Backend {
        session_store: Some(Arc::new(Sessions {
            inner,
            forgets_to_be_atomic,
            mixes_realms,
            looked: AtomicUsize::new(0),
        })),
        ..Backend::default()
    }
}

#[test]
fn one_without_a_hole_keeps_every_case() {
    assert_eq!(block_on(prove(async || Ok(sessions(false, false)), Arc::new(Threads))), Ok(17));
}

#[test]
fn one_that_looks_before_it_writes_is_caught_by_the_race() {
    let caught = caught(|| sessions(true, false));
    assert!(names(&caught, "session_store::one_of_many_racing_rotations_wins"), "{caught:?}");
}

#[test]
fn one_that_mixes_realms_is_caught() {
    let caught = caught(|| sessions(false, true));
    assert!(names(&caught, "session_store::another_realm_is_another_world"), "{caught:?}");
}

#[test]
fn one_that_ignores_expiry_is_caught() {
    let caught = caught(|| Backend {
        one_time_token_store: Some(Arc::new(BentTokens { ignores_expiry: true, ..BentTokens::default() })),
        ..Backend::default()
    });
    for case in ["lives_until_its_expiry_and_not_longer", "the_expired_are_not_consumed"] {
        assert!(names(&caught, &format!("one_time_token_store::{case}")), "{caught:?}");
    }
}

#[test]
fn one_that_takes_nothing_is_caught() {
    let caught = caught(|| Backend {
        one_time_token_store: Some(Arc::new(BentTokens { takes_nothing: true, ..BentTokens::default() })),
        ..Backend::default()
    });
    assert!(caught.len() > 1 && caught.iter().all(|case| case.starts_with("one_time_token_store::")), "{caught:?}");
}

#[test]
fn one_that_loses_the_second_index_is_caught() {
    let caught =
        caught(|| Backend { user_store: Some(Arc::new(LosesTheSecondIndex::default())), ..Backend::default() });
    assert!(names(&caught, "user_store::a_replacement_moves_the_email"), "{caught:?}");
}

#[test]
fn one_that_counts_after_it_looked_is_caught_by_the_race_alone() {
    let caught = caught(|| Backend { rate_limiter: Some(Arc::new(CountsAfterwards::default())), ..Backend::default() });
    assert_eq!(caught, ["rate_limiter::a_racing_crowd_gets_the_burst_and_no_more"]);
}

#[test]
fn one_that_hands_a_job_to_two_is_caught() {
    let caught = caught(|| Backend { job_queue: Some(Arc::new(HandsOutTwice::default())), ..Backend::default() });
    for case in ["a_claimed_job_is_out_of_sight_until_its_lease_ends", "one_of_many_racing_claims_gets_it"] {
        assert!(names(&caught, &format!("job_queue::{case}")), "{caught:?}");
    }
}

#[test]
fn one_that_offers_nothing_has_proven_nothing() {
    let nothing = block_on(prove(async || Ok(Backend::default()), Arc::new(Threads)));
    assert!(nothing.unwrap_err().iter().any(|broken| broken.why.contains("nothing to prove")));
}

#[test]
fn one_that_does_not_come_up_says_so() {
    let down = block_on(prove(async || Err("the server is away".into()), Arc::new(Threads)));
    assert!(down.unwrap_err().iter().all(|broken| broken.to_string().ends_with("the server is away")));
}
