//! A server in memory: the test kit's fakes as stores; signer, templates and rules are real.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_adapters::system::clock::SystemClock;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::ports::mailer::Mailer;
use portcullis_core::ports::sms_sender::SmsSender;
use portcullis_testkit::fakes::randomness::SeededRandomness;
use portcullis_testkit::world::TestWorld;

use super::factories::ConfiguredFiles;
use super::stores::Stores;
use super::{ClockAndRandomness, Infrastructure, Server};
use crate::config::{Environment, Settings};
use crate::testkit::Testkit;
use crate::testkit::magic::{Scripted, Tries};

/// A world whose clock starts at the machine's time: its tokens must be valid for clients with their own clock.
#[must_use]
pub fn fakes_of_today(seed: u64) -> TestWorld {
    TestWorld::at(SystemClock::new().now(), seed)
}

impl Server {
    /// Builds a server for tests.
    ///
    /// # Errors
    /// In production, or if a part can't be made, with the fix.
    pub fn compose_testkit(settings: &Settings, address: SocketAddr, fakes: &TestWorld) -> Result<Self, String> {
        if settings.environment == Environment::Production {
            return Err("ENVIRONMENT=production: the test kit does not run in production".to_owned());
        }
        let ports = fakes.ports();
        let stores = Stores {
            database: ports.database,
            users: ports.users,
            registrations: ports.registrations,
            sessions: ports.sessions,
            one_time_tokens: ports.one_time_tokens,
            undos: ports.undos,
            credentials: ports.credentials,
            webhooks: ports.webhooks,
            jobs: ports.jobs,
            audit: ports.audit,
            audit_chain: fakes.audit_chains.clone(),
            guard: ports.guard,
            limiter: ports.limiter,
            sent_messages: fakes.sent_messages.clone(),
            checks: None,
            redis: None,
            engine: "memory",
            schema_version: 0,
            key_ages: Vec::new(),
            counts: Vec::new(),
        };
        let files = ConfiguredFiles::load(settings)?;
        let world = ClockAndRandomness { clock: ports.clock, randomness: ports.randomness };
        let infrastructure = Infrastructure { world, files, cipher: ports.cipher, digests: ports.digests, stores };
        let (hasher, tries) = (ports.hasher, Tries::default());
        let mut server = Self::compose_on(settings, address, infrastructure, |ports| {
            // a real password hash would be the slowest part of a test
            ports.hasher = hasher;
            let plan = &fakes.faults;
            ports.mailer = Arc::new(Scripted::<dyn Mailer>::new(ports.mailer.clone(), "mailer", plan, &tries));
            ports.sms_sender =
                Arc::new(Scripted::<dyn SmsSender>::new(ports.sms_sender.clone(), "sms_sender", plan, &tries));
        })?;
        let app = Arc::get_mut(&mut server.app).ok_or("a fresh server has one owner")?;
        app.testkit = Some(Arc::new(Testkit::new(fakes.clone(), tries, &server.service)));
        // the number of requests, and of files a page loads, must not change ids, tokens and codes
        app.request_ids = Arc::new(SeededRandomness::new(0));
        Ok(server)
    }
}
