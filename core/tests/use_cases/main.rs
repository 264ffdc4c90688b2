//! The use cases over fakes: accounts from beginning to end, crashes between any two steps, and refresh tokens
//! against a model.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod crash_points;
mod deliveries;
mod devices;
mod edge_cases;
mod enrolment;
mod enumeration;
mod fake_users;
mod histories;
mod operators;
mod passkeys;
mod reauthentication;
mod refresh_model;
mod refusals;
mod second_factors;
mod squatting;
mod texts;
mod totp;
mod undo;
mod webhooks;

use portcullis_core::model::client::Client;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::policy::Policy;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::caller::Caller;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;
use portcullis_testkit::world::TestWorld;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "kq7!Zp2#vW9x-tulip";
const OTHER: &str = "Mj4$rB8?nL1c-garden";
const PHONE: &str = "+1234567890";

/// A service in a world, and what tests do with it all the time.
struct Play {
    world: TestWorld,
    service: AuthService,
    realm: Realm,
    client: Client,
}

impl Play {
    fn new() -> Self {
        Self::with(Policy::default())
    }

    fn with(policy: Policy) -> Self {
        let world = TestWorld::new(7);
        let service = AuthService::new(world.ports(), policy);
        let client = Client::new([198, 51, 100, 7].into(), "Browser/1.0");
        Self { world, service, realm: samples::realm("User1"), client }
    }

    /// Someone elsewhere.
    fn from(last: u8) -> Client {
        Client::new([203, 0, 113, last].into(), "Other/1.0")
    }

    fn form(email: &'static str) -> RegistrationForm<'static> {
        RegistrationForm {
            first_name: Some("Ada"),
            last_name: Some("Lovelace"),
            email: Some(email),
            phone: Some(PHONE),
            country_code: Some("US"),
            password: Some(PASSWORD),
        }
    }

    fn register(&self, email: &'static str) -> Result<(), AuthError> {
        block_on(self.service.registrations().register(&self.realm, Self::form(email), Vec::new(), &self.client))
            .map(|_| ())
    }

    /// Does all work that is due.
    fn deliver(&self) {
        while !matches!(block_on(self.service.deliveries().deliver_next()).expect("the queue works"), Delivery::Idle) {}
    }

    fn link(&self, template: &str) -> String {
        self.world.mailer.link_token(template).expect("a link was mailed").expose()
    }

    fn verify(&self, link: &str) -> Result<(), AuthError> {
        block_on(self.service.registrations().verify_link(&self.realm, link, None)).map(|_| ())
    }

    fn log_in(&self, email: &str, password: &str) -> Result<TokenPair, AuthError> {
        match block_on(self.service.logins().log_in(&self.realm, email, password, &self.client))? {
            LoggedIn::Session(pair) => Ok(pair),
            LoggedIn::MfaRequired(_) | LoggedIn::EnrolmentRequired(_) => panic!("no second factor was expected"),
        }
    }

    fn caller(&self, pair: &TokenPair) -> Result<Caller, AuthError> {
        block_on(self.service.sessions().authenticate(&self.realm, pair.access.expose()))
    }

    /// Registers, verifies and logs in.
    fn user(&self) -> TokenPair {
        self.user_at(EMAIL)
    }

    fn user_at(&self, email: &'static str) -> TokenPair {
        self.register(email).expect("registered");
        self.deliver();
        self.verify(&self.link("mail_email_verify")).expect("verified");
        self.deliver();
        self.log_in(email, PASSWORD).expect("logged in")
    }
}
