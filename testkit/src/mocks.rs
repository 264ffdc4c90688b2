//! A mock of every port, for tests of interactions: "this port fails here", "this port is not called". State
//! that a port keeps is tested with [`crate::fakes`] instead, which keep the port's contract.

use async_trait::async_trait;
use mockall::mock;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, DataKey, Digest, Sealed, WrappedKey};
use portcullis_core::model::stored_key::{KeyPage, KeyReplacement, RecordKind, SignedAgain};
use portcullis_core::model::stored_record::{Collection, Record, RecordPage};
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};
use zeroize::Zeroizing;

pub use portcullis_core::ports::audit_chain_store::MockAuditChainStore;
pub use portcullis_core::ports::audit_log::MockAuditLog;
pub use portcullis_core::ports::breached_passwords::MockBreachedPasswords;
pub use portcullis_core::ports::check_value_store::MockCheckValueStore;
pub use portcullis_core::ports::clock::MockClock;
pub use portcullis_core::ports::credential_store::MockCredentialStore;
pub use portcullis_core::ports::database::MockDatabase;
pub use portcullis_core::ports::job_queue::MockJobQueue;
pub use portcullis_core::ports::login_guard::MockLoginGuard;
pub use portcullis_core::ports::mailer::MockMailer;
pub use portcullis_core::ports::one_time_token_store::MockOneTimeTokenStore;
pub use portcullis_core::ports::password_hasher::MockPasswordHasher;
pub use portcullis_core::ports::randomness::MockRandomness;
pub use portcullis_core::ports::rate_limiter::MockRateLimiter;
pub use portcullis_core::ports::registration_store::MockRegistrationStore;
pub use portcullis_core::ports::sent_message_store::MockSentMessageStore;
pub use portcullis_core::ports::session_store::MockSessionStore;
pub use portcullis_core::ports::sms_sender::MockSmsSender;
pub use portcullis_core::ports::token_signer::MockTokenSigner;
pub use portcullis_core::ports::undo_store::MockUndoStore;
pub use portcullis_core::ports::user_store::MockUserStore;
pub use portcullis_core::ports::webhook_sender::MockWebhookSender;
pub use portcullis_core::ports::webhook_store::MockWebhookStore;

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
        fn digest_by_other<'a>(&self, domain: Domain, realm: &Realm, parts: &[&'a [u8]]) -> Option<Digest>;
    }
}

// These two extend another port, which mockall's attribute cannot do.
mock! {
    pub KeyRotationStore {}

    #[async_trait]
    impl CheckValueStore for KeyRotationStore {
        async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError>;
        async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError>;
        async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError>;
    }

    #[async_trait]
    impl KeyRotationStore for KeyRotationStore {
        async fn count_keys(&self, kind: RecordKind) -> Result<u64, PortError>;
        async fn keys(&self, kind: RecordKind, after: Option<String>, limit: u32) -> Result<KeyPage, PortError>;
        async fn replace_keys(&self, kind: RecordKind, replacements: Vec<KeyReplacement>) -> Result<u64, PortError>;
        async fn count_macs(&self, key: u32) -> Result<u64, PortError>;
        async fn sign_again(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError>;
        async fn purge_replaced_keys(&self) -> Result<(), PortError>;
    }
}

mock! {
    pub MigratableStore {}

    #[async_trait]
    impl CheckValueStore for MigratableStore {
        async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError>;
        async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError>;
        async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError>;
    }

    #[async_trait]
    impl MigratableStore for MigratableStore {
        async fn next_page(
            &self,
            of: Collection,
            after: Option<String>,
            limit: usize,
        ) -> Result<Option<RecordPage>, PortError>;
        async fn put_all(&self, records: Vec<Record>, progress: &[u8]) -> Result<(), PortError>;
        async fn count(&self, of: Collection) -> Result<u64, PortError>;
        async fn clear(&self, of: Collection) -> Result<(), PortError>;
        async fn remove_progress(&self) -> Result<(), PortError>;
    }
}
