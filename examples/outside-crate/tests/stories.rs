//! The whole service over fakes, my store among them: registration, expiry, theft and failure without a wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use outside_crate::MyLimiter;
use portcullis_core::model::client::Client;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::policy::Policy;
use portcullis_core::service::{AuthService, Ports};
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::faults::{Script, When};
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples::realm;
use portcullis_testkit::strategies::{almost_email, hostile};
use portcullis_testkit::world::TestWorld;
use proptest::prelude::*;

const EMAIL: &str = "ada@example.test";
const PASSWORD: &str = "kq7!Zp2#vW9x-tulip";

fn service(world: &TestWorld) -> AuthService {
    let ports = Ports { limiter: Arc::new(MyLimiter::default()), ..world.ports() };
    AuthService::new(ports, Policy::default())
}

fn form(email: &str) -> RegistrationForm<'_> {
    RegistrationForm {
        first_name: Some("Ada"),
        last_name: Some("Lovelace"),
        email: Some(email),
        phone: Some("+12025550100"),
        country_code: Some("US"),
        password: Some(PASSWORD),
    }
}

fn client() -> Client {
    Client::new([198, 51, 100, 7].into(), "Test/1.0")
}

async fn log_in(service: &AuthService) -> Result<TokenPair, AuthError> {
    match service.logins().log_in(&realm("User1"), EMAIL, PASSWORD, &client()).await? {
        LoggedIn::Session(pair) => Ok(pair),
        LoggedIn::MfaRequired(_) | LoggedIn::EnrolmentRequired(_) => panic!("nobody asked for a second factor"),
    }
}

async fn account(world: &TestWorld, service: &AuthService) -> TokenPair {
    service.registrations().register(&realm("User1"), form(EMAIL), Vec::new(), &client()).await.expect("registered");
    while !matches!(service.deliveries().deliver_next().await, Ok(Delivery::Idle)) {}
    let link = world.mailer.link_token("mail_email_verify").expect("a link");
    assert!(world.mailer.code().is_some(), "and a code beside it");
    service.registrations().verify_link(&realm("User1"), &link.expose(), None).await.expect("verified");
    log_in(service).await.expect("logged in")
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let world = TestWorld::new(1);
    let service = service(&world);
    block_on(async {
        let pair = account(&world, &service).await;
        assert!(service.sessions().authenticate(&realm("User1"), pair.access.expose()).await.is_ok());
        world.clock.advance(Duration::from_secs(1831));
        assert!(service.sessions().authenticate(&realm("User1"), pair.access.expose()).await.is_err());
        world.clock.advance(Duration::from_secs(30 * 86_400));
        assert!(service.sessions().refresh(&realm("User1"), pair.refresh.expose()).await.is_err());
    });
}

#[test]
fn a_thief_is_caught() {
    let world = TestWorld::new(1);
    let service = service(&world);
    block_on(async {
        let stolen = account(&world, &service).await;
        let second = service.sessions().refresh(&realm("User1"), stolen.refresh.expose()).await.expect("a successor");
        let third = service.sessions().refresh(&realm("User1"), second.refresh.expose()).await.expect("another");
        assert!(matches!(
            service.sessions().refresh(&realm("User1"), stolen.refresh.expose()).await,
            Err(AuthError::InvalidGrant)
        ));
        assert!(service.sessions().authenticate(&realm("User1"), third.access.expose()).await.is_err());
    });
}

#[test]
fn a_lost_answer_loses_nothing_else() {
    let world = TestWorld::new(1);
    let service = service(&world);
    block_on(async {
        account(&world, &service).await;
        world.faults.play(Script::next().port("user_store").breaks(When::After));
        assert!(matches!(log_in(&service).await, Err(AuthError::Port(_))));
        log_in(&service).await.expect("the next one goes through");
    });
}

#[test]
fn a_world_costs_next_to_nothing() {
    let began = Instant::now();
    for seed in 0..1000 {
        let _ = service(&TestWorld::new(seed));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?} for a thousand", began.elapsed());
}

proptest! {
    #[test]
    fn an_invalid_address_registers_no_account(bad in almost_email(), ugly in hostile()) {
        let world = TestWorld::new(1);
        let service = service(&world);
        let refused = block_on(service.registrations().register(&realm("User1"), form(&bad), Vec::new(), &client()));
        prop_assert!(matches!(refused, Err(AuthError::Invalid(_))));
        let _ = block_on(service.registrations().register(&realm("User1"), form(&ugly), Vec::new(), &client()));
        prop_assert!(world.users.all().is_empty());
    }
}
