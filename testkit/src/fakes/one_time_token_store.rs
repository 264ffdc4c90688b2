//! One-time tokens in a map: at most one for each owner.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

pub(crate) type Tokens = HashMap<TokenOwner, OneTimeToken>;

/// An in-memory [`OneTimeTokenStore`].
#[derive(Debug)]
pub struct FakeOneTimeTokenStore {
    pub(crate) tokens: Locked<Tokens>,
    faults: Faults,
}

impl FakeOneTimeTokenStore {
    /// An empty store whose calls fail as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { tokens: Locked::default(), faults: Faults::new("one_time_token_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// All stored tokens, also expired ones, by their creation time.
    #[must_use]
    pub fn all(&self) -> Vec<OneTimeToken> {
        let mut all: Vec<OneTimeToken> = self.tokens.lock().values().cloned().collect();
        all.sort_by_key(|token| (token.created_at, token.token));
        all
    }
}

impl Default for FakeOneTimeTokenStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

fn is_unexpired(token: &OneTimeToken, now: Timestamp) -> bool {
    now < token.expires_at
}

/// The unexpired token with a digest.
fn by_digest<'a>(
    tokens: &'a Tokens,
    (realm, purpose, digest): (&Realm, Purpose, &Digest),
    now: Timestamp,
) -> Option<&'a OneTimeToken> {
    let matches = |token: &&OneTimeToken| {
        token.holder.realm == *realm
            && token.holder.purpose == purpose
            && token.token.matches(digest)
            && is_unexpired(token, now)
    };
    tokens.values().find(matches)
}

/// The unexpired token of an owner, if it has this digest.
fn owned<'a>(
    tokens: &'a mut Tokens,
    owner: &TokenOwner,
    digest: &Digest,
    now: Timestamp,
) -> Result<&'a mut OneTimeToken, Refusal> {
    let found = tokens.get_mut(owner).filter(|token| is_unexpired(token, now) && token.token.matches(digest));
    found.ok_or(Refusal::TokenGone)
}

/// Applies a change that needs an unexpired token. Ignores all other changes.
pub(super) fn apply(tokens: &mut Tokens, change: &Change) -> Result<(), Refusal> {
    match change {
        Change::UseToken { owner, token, now } => {
            owned(tokens, owner, token, *now)?;
            tokens.remove(owner);
        }
        Change::SetCode { owner, token, code, tries, now } => {
            let stored = owned(tokens, owner, token, *now)?;
            (stored.code, stored.tries_left) = (Some(*code), *tries);
        }
        _ => {}
    }
    Ok(())
}

#[async_trait]
impl OneTimeTokenStore for FakeOneTimeTokenStore {
    async fn find_valid(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.faults.call("find_valid", || by_digest(&self.tokens.lock(), (realm, purpose, token), now).cloned())
    }

    async fn find(&self, owner: &TokenOwner, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.faults.call("find", || self.tokens.lock().get(owner).filter(|token| is_unexpired(token, now)).cloned())
    }

    async fn try_code(&self, lookup: &CodeLookup, code: &Digest, now: Timestamp) -> Result<CodeAttempt, PortError> {
        self.faults.call("try_code", || {
            let mut tokens = self.tokens.lock();
            let owner = match lookup {
                CodeLookup::Owner(owner) => Some(owner.clone()),
                CodeLookup::Token(realm, purpose, digest) => {
                    by_digest(&tokens, (realm, *purpose, digest), now).map(|token| token.holder.clone())
                }
            };
            let unexpired = owner.and_then(|owner| tokens.get_mut(&owner)).filter(|token| is_unexpired(token, now));
            let Some(token) = unexpired.filter(|token| token.tries_left > 0) else { return CodeAttempt::Dead };
            let Some(expected) = token.code else { return CodeAttempt::Dead };
            token.tries_left -= 1;
            let owner = token.holder.clone();
            if !expected.matches(code) {
                return CodeAttempt::Wrong(owner);
            }
            CodeAttempt::Right(token.clone())
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || {
            let mut tokens = self.tokens.lock();
            let before = tokens.len();
            tokens.retain(|_, token| is_unexpired(token, now));
            (before - tokens.len()) as u64
        })
    }
}
