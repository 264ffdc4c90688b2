//! The requests that the use cases refuse, and the facts that they never disclose.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::audit::AuditQuery;
use portcullis_core::model::client::Client;
use portcullis_core::model::code::Code;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::message::Channel;
use portcullis_core::model::quota::{Bucket, Quota};
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::policy::Policy;
use portcullis_core::ports::audit_log::AuditLog as _;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::login::step_up::StepUpFactor;
use portcullis_core::use_cases::operator::disable::StatusChange;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_testkit::race::block_on;

#[test]
fn strangers_are_throttled_and_the_owner_is_not() {
    let play = Play::new();
    let _ = play.user();
    let guess =
        |last: u8, email: &str| block_on(play.service.logins().log_in(&play.realm, email, "wrong", &Play::from(last)));
    for email in [EMAIL, "nobody@example.com", "no address"] {
        for stranger in 0..10 {
            assert!(matches!(guess(stranger, email), Err(AuthError::InvalidCredentials)));
        }
        assert!(matches!(guess(99, email), Err(AuthError::TooMany(wait)) if wait == Duration::from_secs(60)));
    }
    play.log_in(EMAIL, PASSWORD).unwrap();
    play.world.clock.advance(Duration::from_secs(60));
    assert!(matches!(guess(99, EMAIL), Err(AuthError::InvalidCredentials)));
}

#[test]
fn a_stolen_access_token_cannot_be_used_to_guess_the_password() {
    let play = Play::new();
    let caller = play.caller(&play.user()).unwrap();
    let change =
        |current: &str| block_on(play.service.passwords().change_password(&caller, current, OTHER, &play.client));
    for _ in 0..10 {
        assert!(matches!(change("wrong"), Err(AuthError::WrongPassword)));
    }
    assert!(matches!(change(PASSWORD), Err(AuthError::TooMany(_))));
}

#[test]
fn too_long_disabled_and_overloaded() {
    let play = Play::new();
    let _ = play.user();
    let long = "x".repeat(5000);
    assert!(matches!(play.log_in(EMAIL, &long), Err(AuthError::InvalidCredentials)));
    assert!(matches!(play.log_in("nobody@example.com", &long), Err(AuthError::InvalidCredentials)));
    play.world.hasher.set_overloaded(true);
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::Overloaded)));
    assert!(matches!(play.log_in("nobody@example.com", PASSWORD), Err(AuthError::Overloaded)));
    assert!(matches!(play.register("x@example.com"), Err(AuthError::Overloaded)));
    play.world.hasher.set_overloaded(false);
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    assert!(matches!(play.caller(&pair), Err(AuthError::NotAuthenticated)));
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::InvalidCredentials)));
    assert!(matches!(
        block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())),
        Err(AuthError::InvalidGrant)
    ));
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    assert!(!play.world.mailer.templates().contains(&"mail_password_reset"));
}

#[test]
fn every_violation_of_a_form_is_reported_and_breached_passwords_are_refused() {
    let play = Play::new();
    let told = |form: RegistrationForm<'_>| match block_on(play.service.registrations().register(
        &play.realm,
        form,
        Vec::new(),
        &play.client,
    )) {
        Err(AuthError::Invalid(violations)) => violations.into_iter().map(|v| v.code).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(RegistrationForm { email: Some("x"), ..Play::form(EMAIL) }), [Code::EmailInvalid]);
    play.world.breached.add(PASSWORD);
    assert_eq!(told(Play::form(EMAIL)), [Code::PasswordBreached]);
    let play = Play::new();
    let caller = play.caller(&play.user()).unwrap();
    play.world.breached.add(OTHER);
    let refused = block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client));
    assert!(matches!(refused, Err(AuthError::Invalid(violations)) if violations[0].code == Code::PasswordBreached));
    let changes = ProfileChanges {
        first_name: Some(""),
        email: Some("x"),
        phone: Some("1"),
        country_code: Some("XX"),
        ..Default::default()
    };
    let refused =
        block_on(play.service.accounts().update_profile(&caller, changes, None, Vec::new(), Reauthentication::None));
    assert!(matches!(refused, Err(AuthError::Invalid(violations)) if violations.len() == 4));
    let stale = block_on(play.service.accounts().update_profile(
        &caller,
        ProfileChanges::default(),
        Some(9),
        Vec::new(),
        Reauthentication::None,
    ));
    assert!(matches!(stale, Err(AuthError::PreconditionFailed)));
    for email in ["", "x"] {
        assert!(matches!(
            block_on(play.service.passwords().request_reset(&play.realm, email, &play.client)),
            Err(AuthError::Invalid(_))
        ));
        assert!(matches!(
            block_on(play.service.registrations().resend_verification(&play.realm, email, &play.client)),
            Err(AuthError::Invalid(_))
        ));
        assert!(matches!(
            block_on(play.service.registrations().verify_code(&play.realm, email, "ACDEFG", None)),
            Err(AuthError::Invalid(_))
        ));
    }
}

#[test]
fn a_taken_address_shows_only_with_account_enumeration_allowed() {
    let open = Play::with(Policy { enumeration_allowed: true, ..Policy::default() });
    let _ = open.user();
    assert!(matches!(open.register(EMAIL), Err(AuthError::EmailTaken)));
    let play = Play::new();
    let _ = play.user();
    play.register(EMAIL).unwrap();
    play.deliver();
    assert_eq!(play.world.mailer.templates().last(), Some(&"already_registered"));
}

#[test]
fn deletion_needs_a_fresh_login_or_the_password() {
    let play = Play::new();
    let pair = play.user();
    play.world.clock.advance(Duration::from_secs(15 * 60 + 1));
    let caller = play.caller(&pair).unwrap();
    let delete = |password: Option<&str>| {
        let given = Reauthentication::by_password(password, &play.client);
        block_on(play.service.accounts().delete_account(&caller, given))
    };
    assert!(matches!(delete(None), Err(AuthError::ReauthenticationRequired)));
    assert!(matches!(delete(Some("wrong")), Err(AuthError::WrongPassword)));
    let long = "x".repeat(5000);
    assert!(matches!(delete(Some(&long)), Err(AuthError::WrongPassword)));
    delete(Some(PASSWORD)).unwrap();
    assert!(matches!(delete(Some(PASSWORD)), Err(AuthError::NotAuthenticated)));
}

#[test]
fn malformed_tokens_are_refused() {
    let play = Play::new();
    let _ = play.user();
    for token in ["", "x", &"A".repeat(43)] {
        assert!(matches!(play.verify(token), Err(AuthError::InvalidToken)));
        assert!(matches!(
            block_on(play.service.registrations().reject_link(&play.realm, token)),
            Err(AuthError::InvalidToken)
        ));
        assert!(matches!(
            block_on(play.service.passwords().preview_reset(&play.realm, token)),
            Err(AuthError::InvalidToken)
        ));
        assert!(matches!(
            block_on(play.service.factors().verify_otp(&play.realm, token, "123456")),
            Err(AuthError::InvalidToken)
        ));
        assert!(matches!(block_on(play.service.sessions().refresh(&play.realm, token)), Err(AuthError::InvalidGrant)));
        assert!(matches!(
            block_on(play.service.sessions().authenticate(&play.realm, token)),
            Err(AuthError::NotAuthenticated)
        ));
    }
    for code in ["", "ACDEFG", "OOOOOO"] {
        assert!(matches!(
            block_on(play.service.registrations().verify_code(&play.realm, EMAIL, code, None)),
            Err(AuthError::InvalidToken)
        ));
    }
    let decoy = block_on(play.service.factors().send_otp(&play.realm, "usr_nobody", PHONE, Channel::Voice)).unwrap();
    play.deliver();
    assert!(play.world.sms_sender.sent().is_empty());
    let answered = block_on(play.service.factors().verify_otp(&play.realm, &decoy.expose(), "123456"));
    assert!(matches!(answered, Err(AuthError::InvalidToken)));
}

#[test]
fn limits_off_lift_everything() {
    let play = Play::with(Policy { limits_on: false, ..Policy::default() });
    let _ = play.user();
    for _ in 0..20 {
        assert!(matches!(play.log_in(EMAIL, "wrong"), Err(AuthError::InvalidCredentials)));
    }
    let who = play.service.address_digest(&play.realm, &play.client.address);
    let bucket = Bucket { realm: play.realm.clone(), operation: "login", who };
    let quota = Quota::new(1, Duration::from_secs(60));
    assert_eq!(block_on(play.service.take(&bucket, &quota)).unwrap(), None);
    block_on(play.service.give_back(&bucket, &quota)).unwrap();
    let limited = Play::new();
    let take = || block_on(limited.service.take(&bucket, &quota)).unwrap().unwrap().allowed;
    assert!(take() && !take());
    block_on(limited.service.give_back(&bucket, &quota)).unwrap();
    assert!(take());
}

#[test]
fn a_right_password_after_many_wrong_ones_is_an_audit_event() {
    let play = Play::new();
    let _ = play.user();
    let remarkable = || play.world.audit.kinds().into_iter().filter(|kind| *kind == EventKind::SuspiciousLogin).count();
    for n in 0..20 {
        assert!(play.log_in(EMAIL, PASSWORD).is_ok());
        assert_eq!(remarkable(), 0, "after {n}");
        assert!(play.log_in(&format!("guess{n}@example.com"), "wrong").is_err());
    }
    assert!(play.log_in(EMAIL, PASSWORD).is_ok(), "nothing is refused for it");
    assert_eq!(remarkable(), 1);
    play.world.clock.advance(Duration::from_secs(3600));
    assert!(play.log_in(EMAIL, PASSWORD).is_ok());
    assert_eq!(remarkable(), 1);
}

/// By id and by address, twice and back again; the address stays taken, and the audit log has every word.
#[test]
fn disabled_and_enabled() {
    let play = Play::new();
    let (one, _two) = (play.user(), play.log_in(EMAIL, PASSWORD).unwrap());
    let id = one.user.to_string();
    let caller = play.caller(&one).unwrap();
    let to = ProfileChanges { email: Some("new@example.org"), ..Default::default() };
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    play.deliver();
    let change = play.link("email_change_confirm");
    // one more, that a worker has yet to mail
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    let disabled = block_on(play.service.operators().disable(&play.realm, &format!(" {id} "))).unwrap();
    assert_eq!(disabled, StatusChange { user: one.user, changed: true, sessions: 2 });
    assert!(play.world.sessions.all().is_empty() && play.world.tokens.all().is_empty());
    let before = play.world.mailer.templates().len();
    play.deliver();
    assert!(!play.world.mailer.templates()[before..].contains(&"email_change_confirm"));
    assert!(matches!(play.verify(&change), Err(AuthError::InvalidToken)));
    assert!(matches!(
        block_on(play.service.registrations().preview_link(&play.realm, &change)),
        Err(AuthError::InvalidToken)
    ));
    assert!(matches!(block_on(play.service.sessions().log_out_everywhere(&caller)), Ok(())), "and it stays disabled");
    assert!(play.world.users.all()[0].disabled);
    let again = block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    assert_eq!(again, StatusChange { user: one.user, changed: false, sessions: 0 });

    // who registers the address gets no account of it
    play.register(EMAIL).unwrap();
    play.deliver();
    assert_eq!(play.world.mailer.templates().last(), Some(&"already_registered"));

    let enabled = block_on(play.service.operators().enable(&play.realm, " ADA@example.com ")).unwrap();
    assert_eq!(enabled, StatusChange { user: one.user, changed: true, sessions: 0 });
    assert!(matches!(play.verify(&change), Err(AuthError::InvalidToken)));
    assert!(play.caller(&one).is_err() && play.log_in(EMAIL, PASSWORD).is_ok());
    let enabled = block_on(play.service.operators().enable(&play.realm, &id)).unwrap();
    assert!(!enabled.changed && play.log_in(EMAIL, PASSWORD).is_ok());
    let kinds = play.world.audit.kinds();
    let times = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!((times(EventKind::AccountDisabled), times(EventKind::AccountEnabled)), (2, 2));

    let elsewhere = portcullis_testkit::samples::realm("User2");
    for (realm, who) in
        [(&play.realm, "nobody@example.com"), (&play.realm, "x"), (&elsewhere, EMAIL), (&elsewhere, &*id)]
    {
        assert!(matches!(block_on(play.service.operators().disable(realm, who)), Err(AuthError::NotFound)), "{who}");
        assert!(matches!(block_on(play.service.operators().enable(realm, who)), Err(AuthError::NotFound)), "{who}");
    }
}

/// The right password of a disabled account costs what a wrong one of any account does, a hash that would be renewed too.
#[test]
fn a_disabled_account_is_no_less_work() {
    let play = Play::new();
    let _ = play.user();
    let work = |password: &str| {
        let before = play.world.faults.steps();
        assert!(matches!(play.log_in(EMAIL, password), Err(AuthError::InvalidCredentials)));
        play.world.faults.steps() - before
    };
    let wrong = work("wrong");
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    assert_eq!([work(PASSWORD), work("wrong")], [wrong, wrong]);
    play.world.hasher.set_parameters("dearer");
    assert_eq!(work(PASSWORD), wrong);
}

fn log_in_from(play: &Play, last: u8, password: &str) -> Result<(), AuthError> {
    block_on(play.service.logins().log_in(&play.realm, EMAIL, password, &Play::from(last))).map(|_| ())
}

#[test]
fn an_overloaded_attempt_and_the_password_of_a_pending_registration_are_no_failures() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    play.deliver();
    for _ in 0..20 {
        assert!(matches!(log_in_from(&play, 9, PASSWORD), Err(AuthError::EmailNotVerified)));
    }
    play.verify(&play.link("mail_email_verify")).unwrap();
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    play.world.hasher.set_overloaded(true);
    for _ in 0..20 {
        assert!(matches!(log_in_from(&play, 9, "wrong"), Err(AuthError::Overloaded)));
        let caller = play.caller(&pair).unwrap();
        let stepped =
            block_on(play.service.logins().step_up(&caller, PASSWORD, StepUpFactor::Ask { sms: false }, &play.client));
        assert!(matches!(stepped, Err(AuthError::Overloaded)));
    }
    play.world.hasher.set_overloaded(false);
    log_in_from(&play, 9, PASSWORD).unwrap();
    assert!(play.caller(&pair).is_ok(), "nor in the session");
}

#[test]
fn a_used_reset_link_makes_its_client_address_known() {
    let play = Play::new();
    let _ = play.user();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let link = play.link("mail_password_reset");
    block_on(play.service.passwords().reset_password(&play.realm, &link, OTHER, &Play::from(7))).unwrap();
    for guess in 0..20 {
        let _ = log_in_from(&play, 100 + guess, "wrong");
    }
    assert!(matches!(log_in_from(&play, 99, OTHER), Err(AuthError::TooMany(_))), "strangers are slowed down");
    log_in_from(&play, 7, OTHER).unwrap();
}

#[test]
fn the_first_throttled_login_of_an_hour_and_address_is_recorded() {
    let play = Play::new();
    let _ = play.user();
    let throttled = || play.world.audit.kinds().into_iter().filter(|kind| *kind == EventKind::LoginThrottled).count();
    let guess = |client: &Client| {
        block_on(play.service.logins().log_in(&play.realm, "nobody@example.com", "wrong", client)).map(|_| ())
    };
    let guesses = |client: &Client| {
        for _ in 0..20 {
            assert!(guess(client).is_err());
        }
        assert!(matches!(guess(client), Err(AuthError::TooMany(_))));
    };
    guesses(&Play::from(1));
    assert_eq!(throttled(), 1);
    guesses(&Play::from(1));
    assert_eq!(throttled(), 1, "one an hour");
    guesses(&Client::new([198, 51, 100, 99].into(), "Elsewhere/1.0"));
    assert_eq!(throttled(), 2, "for each address");
    play.world.clock.advance(Duration::from_secs(3600));
    guesses(&Play::from(1));
    assert_eq!(throttled(), 3);
}

#[test]
fn a_flood_from_many_addresses_is_some_events_a_minute_and_a_count() {
    let play = Play::new();
    let refuse = |address: u8| {
        let event = play.service.refusal(&play.realm, EventKind::TokenRefused, None);
        let who = play.service.address_digest(&play.realm, &Play::from(address).address);
        block_on(play.service.audit_refusal(event, who));
    };
    let details = || {
        let refused = AuditQuery { kinds: vec![EventKind::TokenRefused], ..AuditQuery::of_realm(play.realm.clone()) };
        let listed = block_on(play.world.audit.list(&refused, None, 1000)).unwrap();
        let detail = |event: Event| event.detail.map(|detail| detail.as_str().to_owned());
        listed.into_iter().map(|listed| detail(listed.event)).collect::<Vec<Option<String>>>()
    };
    (0..100).for_each(refuse);
    assert_eq!(details(), vec![None; 60]);
    play.service.record_counted_refusals();
    play.service.record_counted_refusals();
    assert_eq!((details().len(), details()[0].as_deref()), (61, Some("more=40")), "a count is recorded once");
    play.world.clock.advance(Duration::from_secs(60));
    (0..60).for_each(refuse);
    (100..102).for_each(refuse);
    assert_eq!(details().len(), 63, "those that were written are not written again within the hour");
    play.service.record_counted_refusals();
    assert_eq!(details()[0].as_deref(), Some("more=60"));
}
