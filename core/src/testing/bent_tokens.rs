//! One-time tokens with a hole or two, for the tests of what must find them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::one_time_token::{Holder, OneTimeToken, Purpose};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;
use crate::ports::one_time_token_store::{CodeOf, OneTimeTokenStore, TryCode};
use crate::testing::fakes::one_time_token_store::FakeOneTimeTokenStore;

const BEGINNING: Timestamp = Timestamp::from_millis(0);

/// The fake, bent.
#[derive(Debug, Default)]
pub(crate) struct BentTokens {
    pub inner: Arc<FakeOneTimeTokenStore>,
    /// Expiry is left to a sweeper.
    pub ignores_expiry: bool,
    /// Looks where it should take, and removes nothing.
    pub takes_nothing: bool,
}

impl BentTokens {
    fn time(&self, now: Timestamp) -> Timestamp {
        if self.ignores_expiry { BEGINNING } else { now }
    }
}

#[async_trait]
impl OneTimeTokenStore for BentTokens {
    async fn put(&self, token: OneTimeToken) -> Result<(), PortError> {
        self.inner.put(token).await
    }

    async fn peek(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.inner.peek(realm, purpose, token, self.time(now)).await
    }

    async fn find(&self, holder: &Holder, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.inner.find(holder, self.time(now)).await
    }

    async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        if self.takes_nothing {
            return self.peek(realm, purpose, token, now).await;
        }
        self.inner.consume(realm, purpose, token, self.time(now)).await
    }

    async fn arm(
        &self,
        holder: &Holder,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.inner.arm(holder, token, code, tries, self.time(now)).await
    }

    async fn try_code(&self, of: &CodeOf, code: &Digest, now: Timestamp) -> Result<TryCode, PortError> {
        self.inner.try_code(of, code, self.time(now)).await
    }

    async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.inner.remove_all(realm, subject).await
    }

    async fn remove(&self, holder: &Holder) -> Result<(), PortError> {
        if self.takes_nothing { Ok(()) } else { self.inner.remove(holder).await }
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.inner.purge_expired(now).await
    }
}
