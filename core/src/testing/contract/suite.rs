//! All contracts in one list, for a runner that knows only what a backend offers.

use std::fmt;
use std::sync::Arc;

use super::{Case, Outcome, Running, Setup};
use crate::ports::audit_log::AuditLog;
use crate::ports::breached_passwords::BreachedPasswords;
use crate::ports::clock::Clock;
use crate::ports::field_cipher::FieldCipher;
use crate::ports::job_queue::JobQueue;
use crate::ports::keyed_digest::KeyedDigest;
use crate::ports::login_guard::LoginGuard;
use crate::ports::mailer::Mailer;
use crate::ports::one_time_token_store::OneTimeTokenStore;
use crate::ports::password_hasher::PasswordHasher;
use crate::ports::randomness::Randomness;
use crate::ports::rate_limiter::RateLimiter;
use crate::ports::registration_store::RegistrationStore;
use crate::ports::session_store::SessionStore;
use crate::ports::texter::Texter;
use crate::ports::token_signer::TokenSigner;
use crate::ports::user_store::UserStore;
use crate::service::Ports;
use crate::testing::race::Racer;

type Run = Box<dyn Fn(&Backend, Arc<dyn Racer>) -> Option<Running<'static>> + Send + Sync>;

/// A case of whichever port.
pub struct AnyCase {
    /// The port's file name.
    pub port: &'static str,
    /// The case's name.
    pub name: &'static str,
    offered: fn(&Backend) -> bool,
    run: Run,
}

impl AnyCase {
    /// Whether a backend offers the port.
    #[must_use]
    pub fn is_for(&self, backend: &Backend) -> bool {
        (self.offered)(backend)
    }

    /// Runs over a fresh backend.
    ///
    /// # Errors
    /// Whatever the port broke with, or that the backend does not offer it.
    pub async fn run(&self, backend: &Backend, racer: Arc<dyn Racer>) -> Outcome {
        match (self.run)(backend, racer) {
            Some(running) => running.await,
            None => Err(format!("there is no {} here", self.port).into()),
        }
    }
}

impl fmt::Display for AnyCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.port, self.name)
    }
}

impl fmt::Debug for AnyCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! contracts {
    ($($port:ident: $name:ident, $doc:literal;)*) => {
        /// What a backend offers. Ports it leaves out are not tried on it.
        #[derive(Clone, Default)]
        pub struct Backend {
            $(#[doc = $doc] pub $port: Option<Arc<dyn $name>>,)*
        }

        /// Every case of every contract.
        #[must_use]
        pub fn all() -> Vec<AnyCase> {
            let mut all = Vec::new();
            $(all.extend(super::$port::cases().into_iter().map(|case: Case<dyn $name>| AnyCase {
                port: stringify!($port),
                name: case.name,
                offered: |backend| backend.$port.is_some(),
                run: Box::new(move |backend, racer| {
                    let setup = Setup { port: Arc::clone(backend.$port.as_ref()?), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));)*
            all
        }
    };
}

contracts! {
    registration_store: RegistrationStore, "Pending registrations.";
    user_store: UserStore, "Accounts.";
    one_time_token_store: OneTimeTokenStore, "Links, codes and OTPs.";
    session_store: SessionStore, "Sessions.";
    token_signer: TokenSigner, "Access tokens.";
    breached_passwords: BreachedPasswords, "Known bad passwords.";
    field_cipher: FieldCipher, "Sealing.";
    keyed_digest: KeyedDigest, "Keyed digests.";
    password_hasher: PasswordHasher, "Password hashes.";
    job_queue: JobQueue, "Work outside requests.";
    mailer: Mailer, "E-mail.";
    texter: Texter, "Texts and calls.";
    audit_log: AuditLog, "Evidence.";
    login_guard: LoginGuard, "Slows guessing down.";
    rate_limiter: RateLimiter, "Rate limits.";
    clock: Clock, "The time.";
    randomness: Randomness, "Chance.";
}

impl Backend {
    /// Everything a service works with.
    #[must_use]
    pub fn of(ports: Ports) -> Self {
        Self {
            registration_store: Some(ports.registrations),
            user_store: Some(ports.users),
            one_time_token_store: Some(ports.one_time_tokens),
            session_store: Some(ports.sessions),
            token_signer: Some(ports.signer),
            breached_passwords: Some(ports.breached),
            field_cipher: Some(ports.cipher),
            keyed_digest: Some(ports.digests),
            password_hasher: Some(ports.hasher),
            job_queue: Some(ports.jobs),
            mailer: Some(ports.mailer),
            texter: Some(ports.texter),
            audit_log: Some(ports.audit),
            login_guard: Some(ports.guard),
            rate_limiter: Some(ports.limiter),
            clock: Some(ports.clock),
            randomness: Some(ports.randomness),
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}
