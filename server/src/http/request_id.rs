//! A name for each request, in the answer, in the problem and in the log.

use std::sync::Arc;

use portcullis_core::model::ids::AccessTokenId;
use portcullis_core::ports::randomness::Randomness;

/// The name of one request. Ours always: a name from outside could carry anything.
#[derive(Debug, Clone, Default)]
pub struct RequestId(pub String);

impl RequestId {
    /// A fresh one: 32 hexadecimal digits.
    #[must_use]
    pub fn random(randomness: &Arc<dyn Randomness>) -> Self {
        let id = AccessTokenId::random(&**randomness).to_string();
        Self(id.trim_start_matches(AccessTokenId::PREFIX).to_owned())
    }
}
