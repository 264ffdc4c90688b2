//! All contracts in one list, for a runner that knows only the ports that a backend offers.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::audit_chain_store::ChainedLog;
use super::database::AllRecords;
use super::key_rotation_store::RecordsWithKeys;
use super::{Case, Outcome, Records, Running, Setup};
use crate::race::Racer;
use crate::world::TestWorld;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::breached_passwords::BreachedPasswords;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::Database;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::mailer::Mailer;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::password_hasher::PasswordHasher;
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::sms_sender::SmsSender;
use portcullis_core::ports::token_signer::TokenSigner;
use portcullis_core::ports::undo_store::UndoStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_core::ports::webhook_store::WebhookStore;
use portcullis_core::service::Ports;

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
    /// The port's error, or that the backend does not offer the port.
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
    (records { $($record:ident: $of:ident, $about:literal;)* } others { $($port:ident: $name:ident, $doc:literal;)* }) => {
        /// The ports that a backend offers. Ports that it leaves out are not tested on it.
        #[derive(Clone, Default)]
        pub struct Backend {
            $(#[doc = $about] pub $record: Option<Arc<dyn $of>>,)*
            $(#[doc = $doc] pub $port: Option<Arc<dyn $name>>,)*
            /// Commits. Stores whose records it changes are tried together with it.
            pub database: Option<Arc<dyn Database>>,
            /// The wrapped keys of the records. Tried together with the stores that hold them.
            pub key_rotation_store: Option<Arc<dyn KeyRotationStore>>,
            /// The links of audit events. Tried together with the audit log.
            pub audit_chain_store: Option<Arc<dyn AuditChainStore>>,
        }

        /// Every case of every contract.
        #[must_use]
        pub fn all() -> Vec<AnyCase> {
            let mut all = Vec::new();
            $(all.extend(super::$record::cases().into_iter().map(|case: Case<Records<dyn $of>>| AnyCase {
                port: stringify!($record),
                name: case.name,
                offered: |backend| backend.$record.is_some() && backend.database.is_some(),
                run: Box::new(move |backend, racer| {
                    let (port, database) = (Arc::clone(backend.$record.as_ref()?), backend.database.clone()?);
                    let setup = Setup { port: Arc::new(Records { port, database }), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));)*
            $(all.extend(super::$port::cases().into_iter().map(|case: Case<dyn $name>| AnyCase {
                port: stringify!($port),
                name: case.name,
                offered: |backend| backend.$port.is_some(),
                run: Box::new(move |backend, racer| {
                    let setup = Setup { port: Arc::clone(backend.$port.as_ref()?), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));)*
            all.extend(super::database::cases().into_iter().map(|case: Case<AllRecords>| AnyCase {
                port: "database",
                name: case.name,
                offered: |backend| AllRecords::of(backend).is_some(),
                run: Box::new(move |backend, racer| {
                    let setup = Setup { port: Arc::new(AllRecords::of(backend)?), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));
            all.extend(super::key_rotation_store::cases().into_iter().map(|case: Case<RecordsWithKeys>| AnyCase {
                port: "key_rotation_store",
                name: case.name,
                offered: |backend| RecordsWithKeys::of(backend).is_some(),
                run: Box::new(move |backend, racer| {
                    let setup = Setup { port: Arc::new(RecordsWithKeys::of(backend)?), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));
            all.extend(super::audit_chain_store::cases().into_iter().map(|case: Case<ChainedLog>| AnyCase {
                port: "audit_chain_store",
                name: case.name,
                offered: |backend| ChainedLog::of(backend).is_some(),
                run: Box::new(move |backend, racer| {
                    let setup = Setup { port: Arc::new(ChainedLog::of(backend)?), racer };
                    Some(Box::pin(async move { (case.run)(&setup).await }))
                }),
            }));
            all
        }
    };
}

contracts! {
    records {
    registration_store: RegistrationStore, "Pending registrations.";
    user_store: UserStore, "Accounts.";
    one_time_token_store: OneTimeTokenStore, "Links, codes and OTPs.";
    undo_store: UndoStore, "Undo records.";
    credential_store: CredentialStore, "Service clients and operator tokens.";
    webhook_store: WebhookStore, "Webhooks.";
    session_store: SessionStore, "Sessions.";
    job_queue: JobQueue, "Work outside requests.";
    login_guard: LoginGuard, "Slows guessing down.";
    }
    others {
    token_signer: TokenSigner, "Access tokens.";
    breached_passwords: BreachedPasswords, "Known bad passwords.";
    field_cipher: FieldCipher, "Sealing.";
    keyed_digest: KeyedDigest, "Keyed digests.";
    password_hasher: PasswordHasher, "Password hashes.";
    mailer: Mailer, "E-mail.";
    sms_sender: SmsSender, "Texts and calls.";
    audit_log: AuditLog, "Evidence.";
    rate_limiter: RateLimiter, "Rate limits.";
    check_value_store: CheckValueStore, "Values by which a database recognises its secrets.";
    sent_message_store: SentMessageStore, "The development mailbox's copies.";
    clock: Clock, "The time.";
    randomness: Randomness, "Chance.";
    }
}

impl Backend {
    /// Everything a service works with.
    #[must_use]
    pub fn of(ports: Ports) -> Self {
        Self {
            registration_store: Some(ports.registrations),
            user_store: Some(ports.users),
            one_time_token_store: Some(ports.one_time_tokens),
            undo_store: Some(ports.undos),
            credential_store: Some(ports.credentials),
            webhook_store: Some(ports.webhooks),
            session_store: Some(ports.sessions),
            token_signer: Some(ports.signer),
            breached_passwords: Some(ports.breached),
            field_cipher: Some(ports.cipher),
            keyed_digest: Some(ports.digests),
            password_hasher: Some(ports.hasher),
            job_queue: Some(ports.jobs),
            mailer: Some(ports.mailer),
            sms_sender: Some(ports.sms_sender),
            audit_log: Some(ports.audit),
            login_guard: Some(ports.guard),
            rate_limiter: Some(ports.limiter),
            clock: Some(ports.clock),
            randomness: Some(ports.randomness),
            database: Some(ports.database),
            ..Self::default()
        }
    }

    /// All fakes of a world.
    #[must_use]
    pub fn of_fakes(world: &TestWorld) -> Self {
        Self {
            check_value_store: Some(world.checks.clone()),
            key_rotation_store: Some(world.key_rotation.clone()),
            audit_chain_store: Some(world.audit_chains.clone()),
            sent_message_store: Some(world.sent_messages.clone()),
            ..Self::of(world.ports())
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}

/// A case that an implementation does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// `session_store::ends_once`.
    pub case: String,
    /// The behaviour that was observed instead.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.why)
    }
}

/// Proves an implementation: runs every case of the ports it offers, each over a fresh backend, and answers how many
/// it kept.
///
/// ```
/// use portcullis_testkit::contract::{Backend, prove};
/// use portcullis_testkit::world::TestWorld;
/// use portcullis_testkit::race::{Threads, block_on};
/// use std::sync::Arc;
///
/// // yours instead of the fake; a runtime of yours instead of threads, where it needs one
/// let fresh = async || {
///     let ports = TestWorld::new(1).ports();
///     Ok(Backend { session_store: Some(ports.sessions), database: Some(ports.database), ..Backend::default() })
/// };
/// let kept = block_on(prove(fresh, Arc::new(Threads))).expect("it passes the contract suite");
/// assert!(kept > 10);
/// ```
///
/// # Errors
/// Every case that it does not keep, by name, and what was seen instead; that it offers no port at all.
pub async fn prove(
    fresh: impl AsyncFn() -> Result<Backend, Box<dyn Error + Send + Sync>>,
    racer: Arc<dyn Racer>,
) -> Result<usize, Vec<Broken>> {
    let (mut kept, mut broken) = (0, Vec::new());
    for case in all() {
        let outcome = match fresh().await {
            Ok(backend) if !case.is_for(&backend) => continue,
            Ok(backend) => Caught(Box::pin(case.run(&backend, Arc::clone(&racer)))).await,
            Err(error) => Err(format!("no fresh backend: {error}")),
        };
        match outcome {
            Ok(()) => kept += 1,
            Err(why) => broken.push(Broken { case: case.to_string(), why }),
        }
    }
    if kept == 0 && broken.is_empty() {
        broken.push(Broken {
            case: "backend".to_owned(),
            why: "it offers no port: there is nothing to prove".to_owned(),
        });
    }
    if broken.is_empty() { Ok(kept) } else { Err(broken) }
}

/// A case whose panic is an answer: an unmet expectation must not hide the next one.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future<Output = Outcome>> Future for Caught<F> {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let case = &mut self.0;
        match catch_unwind(AssertUnwindSafe(|| case.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(outcome.map_err(|error| error.to_string())),
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()));
                Poll::Ready(Err(words.unwrap_or_else(|| "it panicked".to_owned())))
            }
        }
    }
}
