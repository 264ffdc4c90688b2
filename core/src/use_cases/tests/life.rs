//! The reference model of an account's life against the stories over fakes, with ports that break between any two
//! steps; and against a service with a hole in it, which it finds.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::one_time_token::{Holder, OneTimeToken, Purpose};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::policy::Policy;
use crate::ports::error::PortError;
use crate::ports::one_time_token_store::{CodeOf, OneTimeTokenStore, TryCode};
use crate::service::{AuthService, Ports};
use crate::testing::fakes::one_time_token_store::FakeOneTimeTokenStore;
use crate::testing::life::{Life, Post, ServiceDriver, Stage, Tally, Waiting, WorldDriver, lives};
use crate::testing::race::block_on;
use crate::testing::world::World;

/// The seed of the lives; printed with whatever fails.
const SEED: u64 = 7;

struct OverFakes(Life<WorldDriver>);

impl Stage for OverFakes {
    type Driver = WorldDriver;

    fn set_up() -> Self {
        Self(Life::new(ServiceDriver::over(&World::new(7))))
    }

    fn life(&mut self) -> &mut Life<WorldDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut Life<WorldDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

fn play(seed: u64) -> Tally {
    lives::<OverFakes>(200, 150, seed).unwrap_or_else(|story| panic!("{story}"))
}

#[test]
fn lives_go_as_the_contract_says() {
    let tally = play(SEED);
    println!("{tally}");
    assert!(tally.steps > 10_000 && tally.cut_short > 200, "{tally}");
    // every request got somewhere, and every refusal was met
    for met in [
        "Register → Registered",
        "FollowLink → Verified",
        "FollowLink → InvalidToken",
        "RejectLink → Done",
        "TypeCode → Verified",
        "TypeCode → InvalidToken",
        "LogIn → Pair",
        "LogIn → MfaRequired",
        "LogIn → InvalidCredentials",
        "LogIn → EmailNotVerified",
        "SecondFactor → Pair",
        "SecondFactor → InvalidToken",
        "Refresh → Pair",
        "Refresh → InvalidGrant",
        "LogOut → Done",
        "LogOutEverywhere → Done",
        "Reset → Done",
        "Reset → InvalidToken",
        "ChangePassword → Done",
        "ChangePassword → WrongPassword",
        "ChangeEmail → Done",
        "SendOtp → Challenge",
        "VerifyOtp → Done",
        "VerifyOtp → InvalidToken",
        "SetMfa → Done",
        "SetMfa → PhoneNotVerified",
        "SetMfa → ReauthenticationRequired",
        "Delete → Done",
        "Delete → WrongPassword",
        "Delete → ReauthenticationRequired",
        "Delete → NotAuthenticated",
    ] {
        assert!(tally.answers.contains_key(met), "no {met} in\n{tally}");
    }
}

#[test]
fn other_lives_go_so_too() {
    assert!(play(SEED + 1).steps > 10_000);
}

/// Looks where it should take.
struct Generous(Arc<FakeOneTimeTokenStore>);

#[async_trait]
impl OneTimeTokenStore for Generous {
    async fn put(&self, token: OneTimeToken) -> Result<(), PortError> {
        self.0.put(token).await
    }

    async fn peek(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.0.peek(realm, purpose, token, now).await
    }

    async fn find(&self, holder: &Holder, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.0.find(holder, now).await
    }

    async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.0.peek(realm, purpose, token, now).await
    }

    async fn arm(
        &self,
        holder: &Holder,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.0.arm(holder, token, code, tries, now).await
    }

    async fn try_code(&self, of: &CodeOf, code: &Digest, now: Timestamp) -> Result<TryCode, PortError> {
        self.0.try_code(of, code, now).await
    }

    async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.0.remove_all(realm, subject).await
    }

    async fn remove(&self, holder: &Holder) -> Result<(), PortError> {
        self.0.remove(holder).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.0.purge_expired(now).await
    }
}

struct OverGenerous(Life<ServiceDriver>);

impl Stage for OverGenerous {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        let world = World::new(7);
        let ports = Ports { one_time_tokens: Arc::new(Generous(world.tokens.clone())), ..world.ports() };
        let post = Post { mailer: world.mailer, texter: world.texter, clock: world.clock, faults: Some(world.faults) };
        let policy = Policy { limits_on: false, ..Policy::default() };
        Self(Life::new(ServiceDriver::new(AuthService::new(ports, policy), post)))
    }

    fn life(&mut self) -> &mut Life<ServiceDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut Life<ServiceDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

#[test]
fn a_link_that_can_be_used_twice_is_found_and_the_life_that_shows_it_is_short() {
    let story = lives::<OverGenerous>(200, 150, SEED).expect_err("a hole in the service");
    println!("{story}");
    assert!(story.starts_with("seed 7, a life of"), "{story}");
    assert!(story.lines().filter(|line| line.starts_with("  ") && line.contains('{')).count() <= 12, "{story}");
}
