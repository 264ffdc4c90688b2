//! A client that hangs up frees its place in the hashing queue, and nothing else: what follows the hash (the change, the
//! mail about it, the evidence) is done to its end, whoever is still listening.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::password::Password;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher, Verdict};
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static CLIENT: CancellationToken;
}

/// Runs a request to its end on a task of its own. Dropping the future that waits for it tells the hasher only.
///
/// # Errors
/// When the request panicked.
pub async fn to_its_end<T: Send + 'static>(
    request: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    let client = CancellationToken::new();
    let _gone_when_dropped = client.clone().drop_guard();
    tokio::spawn(CLIENT.scope(client, request)).await
}

/// A hasher that gives up waiting for those who have gone away.
pub struct HangUpHasher(pub Arc<dyn PasswordHasher>);

async fn while_connected<T>(hash: impl Future<Output = Result<T, HashError>>) -> Result<T, HashError> {
    let Ok(client) = CLIENT.try_with(CancellationToken::clone) else { return hash.await };
    tokio::select! {
        hashed = hash => hashed,
        () = client.cancelled() => Err(HashError::Overloaded),
    }
}

#[async_trait]
impl PasswordHasher for HangUpHasher {
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        while_connected(self.0.hash(password, salt)).await
    }

    async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, HashError> {
        while_connected(self.0.verify(password, hash)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn hanging_up_ends_the_hash_and_not_what_follows_it() {
        let (done, told) = oneshot::channel();
        let request = to_its_end(async move {
            let hashed = while_connected(std::future::pending::<Result<(), HashError>>()).await;
            tokio::task::yield_now().await;
            let _ = done.send(matches!(hashed, Err(HashError::Overloaded)));
        });
        let hung_up = tokio::time::timeout(Duration::from_millis(20), request).await;
        assert!(hung_up.is_err());
        assert_eq!(told.await, Ok(true), "the request went on to its end");
    }
}
