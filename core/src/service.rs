//! The service: the ports and the policy in one place. Every use case is one `impl AuthService` in a file of its own
//! under `use_cases`, whose first line names the ports it uses.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use crate::model::realm::Realm;
use crate::model::refusals::Refusals;
use crate::model::user::PasswordHash;
use crate::policy::Policy;
use crate::ports::audit_log::AuditLog;
use crate::ports::breached_passwords::BreachedPasswords;
use crate::ports::clock::Clock;
use crate::ports::credential_store::CredentialStore;
use crate::ports::database::Database;
use crate::ports::field_cipher::FieldCipher;
use crate::ports::job_queue::JobQueue;
use crate::ports::keyed_digest::KeyedDigest;
use crate::ports::login_guard::LoginGuard;
use crate::ports::mailer::Mailer;
use crate::ports::one_time_token_store::OneTimeTokenStore;
use crate::ports::passkey_verifier::PasskeyVerifier;
use crate::ports::password_hasher::PasswordHasher;
use crate::ports::randomness::Randomness;
use crate::ports::rate_limiter::RateLimiter;
use crate::ports::registration_store::RegistrationStore;
use crate::ports::session_store::SessionStore;
use crate::ports::sms_sender::SmsSender;
use crate::ports::token_signer::TokenSigner;
use crate::ports::undo_store::UndoStore;
use crate::ports::user_store::UserStore;
use crate::ports::webhook_sender::WebhookSender;
use crate::ports::webhook_store::WebhookStore;

/// How many accounts of a realm have each kind of hash: a dummy hash with its parameters, and a number.
type Counts = Vec<(PasswordHash, u64)>;

/// The counts of every realm, shared by all copies of a service.
#[derive(Clone, Default)]
pub(crate) struct HashParameters(pub(crate) Arc<RwLock<BTreeMap<Realm, Counts>>>);

/// Every port that the use cases need.
#[derive(Clone)]
pub struct Ports {
    /// Commits the changes of a use case, its jobs and its audit events together.
    pub database: Arc<dyn Database>,
    /// Accounts.
    pub users: Arc<dyn UserStore>,
    /// Registrations that wait.
    pub registrations: Arc<dyn RegistrationStore>,
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Links, codes and OTPs.
    pub one_time_tokens: Arc<dyn OneTimeTokenStore>,
    /// Undo records.
    pub undos: Arc<dyn UndoStore>,
    /// Service clients and operator tokens.
    pub credentials: Arc<dyn CredentialStore>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Access tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Known bad passwords.
    pub breached: Arc<dyn BreachedPasswords>,
    /// Sealing.
    pub cipher: Arc<dyn FieldCipher>,
    /// Blind indexes and the stored digests of tokens.
    pub digests: Arc<dyn KeyedDigest>,
    /// Passkeys.
    pub passkeys: Arc<dyn PasskeyVerifier>,
    /// Password hashes.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Work outside requests.
    pub jobs: Arc<dyn JobQueue>,
    /// E-mail.
    pub mailer: Arc<dyn Mailer>,
    /// Texts and calls.
    pub sms_sender: Arc<dyn SmsSender>,
    /// Messages to webhooks.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Evidence.
    pub audit: Arc<dyn AuditLog>,
    /// Slows guessing down.
    pub guard: Arc<dyn LoginGuard>,
    /// Rate limits.
    pub limiter: Arc<dyn RateLimiter>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
}

/// The use cases of an account's life.
#[derive(Clone)]
pub struct AuthService {
    /// The ports.
    pub ports: Ports,
    /// The operator's settings.
    pub policy: Policy,
    /// Which parameters the accounts' hashes have.
    pub(crate) hash_parameters: HashParameters,
    /// Refusals that are counted instead of written.
    pub(crate) refusals: Refusals,
}

impl AuthService {
    /// A service over these ports under this policy.
    #[must_use]
    pub fn new(ports: Ports, policy: Policy) -> Self {
        Self { ports, policy, hash_parameters: HashParameters::default(), refusals: Refusals::default() }
    }
}
