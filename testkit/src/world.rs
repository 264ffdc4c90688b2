//! A world of fakes: every port that a use case needs, for a test to inspect.

use std::sync::Arc;

use crate::fakes::audit_chain_store::FakeAuditChainStore;
use crate::fakes::audit_log::FakeAuditLog;
use crate::fakes::breached_passwords::FakeBreachedPasswords;
use crate::fakes::check_value_store::FakeCheckValueStore;
use crate::fakes::clock::FixedClock;
use crate::fakes::credential_store::FakeCredentialStore;
use crate::fakes::database::{FakeDatabase, FakeRecords};
use crate::fakes::field_cipher::FakeFieldCipher;
use crate::fakes::job_queue::FakeJobQueue;
use crate::fakes::key_rotation_store::FakeKeyRotationStore;
use crate::fakes::keyed_digest::FakeKeyedDigest;
use crate::fakes::login_guard::FakeLoginGuard;
use crate::fakes::mailer::MailOutbox;
use crate::fakes::one_time_token_store::FakeOneTimeTokenStore;
use crate::fakes::passkey_verifier::FakePasskeyVerifier;
use crate::fakes::password_hasher::FakePasswordHasher;
use crate::fakes::randomness::SeededRandomness;
use crate::fakes::rate_limiter::FakeRateLimiter;
use crate::fakes::registration_store::FakeRegistrationStore;
use crate::fakes::sent_message_store::FakeSentMessageStore;
use crate::fakes::session_store::FakeSessionStore;
use crate::fakes::sms_sender::SmsOutbox;
use crate::fakes::token_signer::FakeTokenSigner;
use crate::fakes::undo_store::FakeUndoStore;
use crate::fakes::user_store::FakeUserStore;
use crate::fakes::webhook_sender::WebhookOutbox;
use crate::fakes::webhook_store::FakeWebhookStore;
use crate::faults::FaultPlan;
use crate::samples;
use portcullis_core::model::time::Timestamp;
use portcullis_core::service::Ports;

/// All fakes, wired to one plan of faults. A clone is the same world.
#[derive(Debug, Clone)]
pub struct TestWorld {
    /// Commits.
    pub database: Arc<FakeDatabase>,
    /// Accounts.
    pub users: Arc<FakeUserStore>,
    /// Registrations that wait.
    pub registrations: Arc<FakeRegistrationStore>,
    /// Sessions.
    pub sessions: Arc<FakeSessionStore>,
    /// Links, codes and OTPs.
    pub tokens: Arc<FakeOneTimeTokenStore>,
    /// Undo records.
    pub undos: Arc<FakeUndoStore>,
    /// Service clients and operator tokens.
    pub credentials: Arc<FakeCredentialStore>,
    /// Webhooks.
    pub webhooks: Arc<FakeWebhookStore>,
    /// Access tokens.
    pub signer: Arc<FakeTokenSigner>,
    /// Known bad passwords.
    pub breached: Arc<FakeBreachedPasswords>,
    /// Sealing.
    pub cipher: Arc<FakeFieldCipher>,
    /// Blind indexes and the stored digests of tokens.
    pub digests: Arc<FakeKeyedDigest>,
    /// Password hashes.
    pub hasher: Arc<FakePasswordHasher>,
    /// Work outside requests.
    pub jobs: Arc<FakeJobQueue>,
    /// E-mail.
    pub mailer: Arc<MailOutbox>,
    /// Texts and calls.
    pub sms_sender: Arc<SmsOutbox>,
    /// Messages to webhooks.
    pub webhook_sender: Arc<WebhookOutbox>,
    /// Evidence.
    pub audit: Arc<FakeAuditLog>,
    /// The links of its events.
    pub audit_chains: Arc<FakeAuditChainStore>,
    /// Slows guessing down.
    pub guard: Arc<FakeLoginGuard>,
    /// Rate limits.
    pub limiter: Arc<FakeRateLimiter>,
    /// Values by which a database recognises its secrets.
    pub checks: Arc<FakeCheckValueStore>,
    /// The wrapped keys of all records.
    pub key_rotation: Arc<FakeKeyRotationStore>,
    /// The development mailbox's copies.
    pub sent_messages: Arc<FakeSentMessageStore>,
    /// The time: it stands at [`samples::NOW`] until it is moved.
    pub clock: Arc<FixedClock>,
    /// Chance.
    pub randomness: Arc<SeededRandomness>,
    /// The faults to inject, across all ports.
    pub faults: FaultPlan,
}

impl TestWorld {
    /// An empty world; the same seed gives the same keys and the same chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::at(samples::NOW, seed)
    }

    /// The same at another time.
    #[must_use]
    pub fn at(start: Timestamp, seed: u64) -> Self {
        let clock = Arc::new(FixedClock::new(start));
        let faults = FaultPlan::on(clock.clone());
        let users = Arc::new(FakeUserStore::new(&faults));
        let records = FakeRecords {
            registrations: Arc::new(FakeRegistrationStore::new(&faults)),
            sessions: Arc::new(FakeSessionStore::new(users.clone(), &faults)),
            users,
            tokens: Arc::new(FakeOneTimeTokenStore::new(&faults)),
            undos: Arc::new(FakeUndoStore::new(&faults)),
            credentials: Arc::new(FakeCredentialStore::new(&faults)),
            webhooks: Arc::new(FakeWebhookStore::new(&faults)),
            jobs: Arc::new(FakeJobQueue::new(&faults)),
            audit: Arc::new(FakeAuditLog::new(&faults)),
            guard: Arc::new(FakeLoginGuard::new(&faults)),
        };
        let checks = Arc::new(FakeCheckValueStore::new(&faults));
        let sent_messages = Arc::new(FakeSentMessageStore::default());
        let key_rotation = FakeKeyRotationStore::new(
            records.users.clone(),
            records.registrations.clone(),
            sent_messages.clone(),
            records.webhooks.clone(),
            checks.clone(),
            &faults,
        );
        Self {
            database: Arc::new(FakeDatabase::new(records.clone(), &faults)),
            users: records.users,
            registrations: records.registrations,
            sessions: records.sessions,
            tokens: records.tokens,
            undos: records.undos,
            credentials: records.credentials,
            webhooks: records.webhooks,
            signer: Arc::new(FakeTokenSigner::new(seed, &faults)),
            breached: Arc::new(FakeBreachedPasswords::new(&faults)),
            cipher: Arc::new(FakeFieldCipher::new(seed, &faults)),
            digests: Arc::new(FakeKeyedDigest::new(seed)),
            hasher: Arc::new(FakePasswordHasher::new(&faults)),
            jobs: records.jobs,
            mailer: Arc::new(MailOutbox::new(&faults)),
            sms_sender: Arc::new(SmsOutbox::new(&faults)),
            webhook_sender: Arc::new(WebhookOutbox::new(&faults)),
            audit_chains: Arc::new(FakeAuditChainStore::new(records.audit.clone(), &faults)),
            audit: records.audit,
            guard: records.guard,
            limiter: Arc::new(FakeRateLimiter::new(&faults)),
            checks,
            key_rotation: Arc::new(key_rotation),
            sent_messages,
            clock,
            randomness: Arc::new(SeededRandomness::new(seed)),
            faults,
        }
    }

    /// Resets every rate limit; counts of failures stay.
    pub fn forget_rate_limits(&self) {
        self.limiter.arrivals.lock().clear();
    }

    /// Resets every rate limit and every count of failures.
    pub fn forget_limits(&self) {
        self.limiter.arrivals.lock().clear();
        self.guard.emails.lock().clear();
    }

    /// The same fakes as the service takes them.
    #[must_use]
    pub fn ports(&self) -> Ports {
        let world = self.clone();
        Ports {
            database: world.database,
            users: world.users,
            registrations: world.registrations,
            sessions: world.sessions,
            one_time_tokens: world.tokens,
            undos: world.undos,
            credentials: world.credentials,
            webhooks: world.webhooks,
            signer: world.signer,
            breached: world.breached,
            cipher: world.cipher,
            digests: world.digests,
            passkeys: Arc::new(FakePasskeyVerifier),
            hasher: world.hasher,
            jobs: world.jobs,
            mailer: world.mailer,
            sms_sender: world.sms_sender,
            webhook_sender: world.webhook_sender,
            audit: world.audit,
            guard: world.guard,
            limiter: world.limiter,
            clock: world.clock,
            randomness: world.randomness,
        }
    }
}
