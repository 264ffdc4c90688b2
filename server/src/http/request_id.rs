//! A name for each request, in the answer, in the problem and in the log.

use std::sync::Arc;

use portcullis_core::ports::randomness::Randomness;

/// The name of one request. Ours always: a name from outside could carry anything.
#[derive(Debug, Clone, Default)]
pub struct RequestId(pub String);

impl RequestId {
    /// A fresh one: 32 hexadecimal digits.
    #[must_use]
    pub fn random(randomness: &Arc<dyn Randomness>) -> Self {
        let mut bytes = [0; 16];
        randomness.fill(&mut bytes);
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }
}
