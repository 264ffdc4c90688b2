//! A mock of every port, for tests of interactions: "this port fails here", "this port is not called". What a port
//! remembers is tested with [`crate::fakes`] instead, which keep the port's contract.

use mockall::mock;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, DataKey, Digest, Sealed, WrappedKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};
use zeroize::Zeroizing;

pub use portcullis_core::ports::audit_log::MockAuditLog;
pub use portcullis_core::ports::breached_passwords::MockBreachedPasswords;
pub use portcullis_core::ports::clock::MockClock;
pub use portcullis_core::ports::database::MockDatabase;
pub use portcullis_core::ports::job_queue::MockJobQueue;
pub use portcullis_core::ports::login_guard::MockLoginGuard;
pub use portcullis_core::ports::mailer::MockMailer;
pub use portcullis_core::ports::one_time_token_store::MockOneTimeTokenStore;
pub use portcullis_core::ports::password_hasher::MockPasswordHasher;
pub use portcullis_core::ports::randomness::MockRandomness;
pub use portcullis_core::ports::rate_limiter::MockRateLimiter;
pub use portcullis_core::ports::registration_store::MockRegistrationStore;
pub use portcullis_core::ports::session_store::MockSessionStore;
pub use portcullis_core::ports::sms_sender::MockSmsSender;
pub use portcullis_core::ports::token_signer::MockTokenSigner;
pub use portcullis_core::ports::user_store::MockUserStore;

// These two take borrowed parts inside their arguments, whose lifetimes mockall wants to see.
mock! {
    pub FieldCipher {}

    impl FieldCipher for FieldCipher {
        fn new_key<'a>(&self, place: AadContext<'a>) -> Result<(DataKey, WrappedKey), PortError>;
        fn wrap<'a>(&self, key: &DataKey, place: AadContext<'a>) -> Result<WrappedKey, PortError>;
        fn ring(&self) -> Vec<u32>;
        fn wrapping_key(&self, wrapped: &WrappedKey) -> Option<u32>;
        fn unwrap<'a>(&self, wrapped: &WrappedKey, place: AadContext<'a>) -> Result<DataKey, PortError>;
        fn seal<'a>(&self, key: &DataKey, place: AadContext<'a>, value: &[u8]) -> Result<Sealed, PortError>;
        fn open<'a>(&self, key: &DataKey, place: AadContext<'a>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, PortError>;
    }
}

mock! {
    pub KeyedDigest {}

    impl KeyedDigest for KeyedDigest {
        fn digest<'a>(&self, domain: Domain, realm: &Realm, parts: &[&'a [u8]]) -> Digest;
    }
}
