//! Stores with one fault each, for the tests of what must find them.

use std::sync::Arc;

use async_trait::async_trait;

use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

const BEGINNING: Timestamp = Timestamp::from_millis(0);

/// One-time tokens whose expiry is left to a cleaner.
pub(crate) struct IgnoresExpiry(pub Arc<dyn OneTimeTokenStore>);

#[async_trait]
impl OneTimeTokenStore for IgnoresExpiry {
    async fn find_valid(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        _now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.0.find_valid(realm, purpose, token, BEGINNING).await
    }

    async fn find(&self, owner: &TokenOwner, _now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.0.find(owner, BEGINNING).await
    }

    async fn try_code(&self, of: &CodeLookup, code: &Digest, _now: Timestamp) -> Result<CodeAttempt, PortError> {
        self.0.try_code(of, code, BEGINNING).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.0.purge_expired(now).await
    }
}

/// A database that commits something else than it is asked to.
pub(crate) struct FaultyDatabase {
    pub inner: Arc<dyn Database>,
    /// The change to commit instead; `None` drops it.
    pub fault: fn(Change) -> Option<Change>,
}

#[async_trait]
impl Database for FaultyDatabase {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let changes = work.changes.into_iter().filter_map(self.fault).collect();
        self.inner.commit(UnitOfWork { changes, ..work }).await
    }
}

/// Uses up no token.
pub(crate) fn uses_up_nothing(change: Change) -> Option<Change> {
    (!matches!(change, Change::UseToken { .. })).then_some(change)
}

/// Uses up expired tokens too.
pub(crate) fn ignores_expiry(change: Change) -> Change {
    match change {
        Change::UseToken { owner, token, .. } => Change::UseToken { owner, token, now: BEGINNING },
        other => other,
    }
}
