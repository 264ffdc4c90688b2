//! Requests of clients that disconnect. The request runs to completion, so that no change is left without its mail and
//! audit event; only a password hash that still waits in the queue is cancelled.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_adapters::crypto::hash_queue::{REQUESTER, Requester};
use portcullis_core::model::password::Password;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

tokio::task_local! {
    /// Cancelled when the client of the current request disconnects.
    static DISCONNECTED: CancellationToken;
}

/// Runs a request on a task of its own, on behalf of a client. Dropping the returned future cancels its password hash
/// only.
///
/// # Errors
/// If the request panicked.
pub async fn run_to_completion<T: Send + 'static>(
    requester: Requester,
    request: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    let disconnected = CancellationToken::new();
    let _cancel_on_drop = disconnected.clone().drop_guard();
    let request = REQUESTER.scope(requester, DISCONNECTED.scope(disconnected, request));
    tokio::spawn(request.in_current_span()).await
}

/// A password hasher that cancels the hash when the client disconnects.
pub struct CancellableHasher(pub Arc<dyn PasswordHasher>);

async fn cancel_on_disconnect<T>(hash: impl Future<Output = Result<T, HashError>>) -> Result<T, HashError> {
    let Ok(disconnected) = DISCONNECTED.try_with(CancellationToken::clone) else { return hash.await };
    tokio::select! {
        hashed = hash => hashed,
        () = disconnected.cancelled() => Err(HashError::Overloaded),
    }
}

#[async_trait]
impl PasswordHasher for CancellableHasher {
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        cancel_on_disconnect(self.0.hash(password, salt)).await
    }

    async fn hash_like(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        cancel_on_disconnect(self.0.hash_like(password, stored)).await
    }

    async fn hash_with_salt_of(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        cancel_on_disconnect(self.0.hash_with_salt_of(password, stored)).await
    }

    fn decoy_like(&self, stored: &PasswordHash, salt: [u8; 16]) -> Option<PasswordHash> {
        self.0.decoy_like(stored, salt)
    }

    fn is_outdated(&self, stored: &PasswordHash) -> bool {
        self.0.is_outdated(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_disconnect_cancels_the_hash_and_not_the_request() {
        let (done, outcome) = oneshot::channel();
        let request = run_to_completion(Requester::default(), async move {
            let hashed = cancel_on_disconnect(std::future::pending::<Result<(), HashError>>()).await;
            tokio::task::yield_now().await;
            let _ = done.send(matches!(hashed, Err(HashError::Overloaded)));
        });
        let disconnected = tokio::time::timeout(Duration::from_millis(20), request).await;
        assert!(disconnected.is_err());
        assert_eq!(outcome.await, Ok(true), "the request ran to completion");
    }
}
