//! Recent authentication in front of the use cases that need it.

use std::time::Duration;

use super::{EMAIL, PASSWORD, PHONE, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::message::Channel;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::login::step_up::{StepUpFactor, SteppedUp};
use portcullis_core::use_cases::shared::caller::Caller;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;

const NEW_EMAIL: ProfileChanges<'_> = ProfileChanges {
    first_name: None,
    last_name: None,
    email: Some("new@example.org"),
    phone: None,
    country_code: None,
    locale: None,
};
const NEW_PHONE: ProfileChanges<'_> = ProfileChanges { email: None, phone: Some("+1987654321"), ..NEW_EMAIL };

const NONE: Reauthentication<'_> = Reauthentication::None;

type UseCase = fn(&Play, &Caller, Reauthentication<'_>) -> Result<(), AuthError>;

fn update(play: &Play, caller: &Caller, to: ProfileChanges<'_>, given: Reauthentication<'_>) -> Result<(), AuthError> {
    block_on(play.service.accounts().update_profile(caller, to, None, Vec::new(), given)).map(|_| ())
}

fn change_email(play: &Play, caller: &Caller, given: Reauthentication<'_>) -> Result<(), AuthError> {
    update(play, caller, NEW_EMAIL, given)
}

fn change_phone(play: &Play, caller: &Caller, given: Reauthentication<'_>) -> Result<(), AuthError> {
    update(play, caller, NEW_PHONE, given)
}

fn set_mfa(play: &Play, caller: &Caller, given: Reauthentication<'_>) -> Result<(), AuthError> {
    block_on(play.service.factors().set_mfa_sms(caller, !caller.user.mfa_sms, given)).map(|_| ())
}

fn delete(play: &Play, caller: &Caller, given: Reauthentication<'_>) -> Result<(), AuthError> {
    block_on(play.service.accounts().delete_account(caller, given))
}

fn end_session(play: &Play, caller: &Caller, _: Reauthentication<'_>) -> Result<(), AuthError> {
    block_on(play.service.sessions().end_session(caller, &caller.session.id.to_string()))
}

fn export(play: &Play, caller: &Caller, _: Reauthentication<'_>) -> Result<(), AuthError> {
    block_on(play.service.accounts().export(caller)).map(|_| ())
}

/// The use cases that need a password, and those that need only the token.
const WITH_PASSWORD: [UseCase; 4] = [change_email, change_phone, set_mfa, delete];
const TOKEN_ONLY: [UseCase; 2] = [end_session, export];

/// Someone with a verified phone.
fn owner(play: &Play) -> TokenPair {
    let pair = play.user();
    let challenge = play.challenge(&pair);
    let code = play.world.sms_sender.code().unwrap();
    block_on(play.service.factors().verify_otp(&play.realm, &challenge, code.expose())).unwrap();
    pair
}

impl Play {
    /// A challenge to the phone, whose code was sent.
    fn challenge(&self, pair: &TokenPair) -> String {
        let sent = block_on(self.service.factors().send_otp(&self.realm, &pair.user.to_string(), PHONE, Channel::Sms))
            .unwrap();
        self.deliver();
        sent.expose()
    }
}

#[test]
fn a_login_of_fifteen_minutes_is_recent_and_an_older_one_is_not() {
    for (place, use_case) in [&WITH_PASSWORD[..], &TOKEN_ONLY].concat().into_iter().enumerate() {
        for (seconds, recent) in [(900, true), (901, false)] {
            let play = Play::new();
            let pair = owner(&play);
            play.world.clock.advance(Duration::from_secs(seconds));
            let done = use_case(&play, &play.caller(&pair).unwrap(), Reauthentication::None);
            assert_eq!(done.is_ok(), recent, "{place} after {seconds} s");
            assert!(recent || matches!(done, Err(AuthError::ReauthenticationRequired)));
        }
    }
}

#[test]
fn the_password_stands_in_for_a_recent_login_and_is_checked_after_one_too() {
    for (place, use_case) in WITH_PASSWORD.into_iter().enumerate() {
        for seconds in [0, 901] {
            let play = Play::new();
            let pair = owner(&play);
            play.world.clock.advance(Duration::from_secs(seconds));
            let caller = play.caller(&pair).unwrap();
            let with = |password| use_case(&play, &caller, Reauthentication::by_password(Some(password), &play.client));
            assert!(matches!(with("wrong"), Err(AuthError::WrongPassword)), "{place} after {seconds} s");
            assert!(with(PASSWORD).is_ok(), "{place} after {seconds} s");
        }
    }
}

#[test]
fn a_refresh_does_not_make_a_login_recent() {
    let play = Play::new();
    let pair = owner(&play);
    play.world.clock.advance(Duration::from_secs(901));
    let refreshed = block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).unwrap();
    let caller = play.caller(&refreshed).unwrap();
    assert_eq!(caller.claims.authenticated_at, caller.session.created_at);
    for use_case in [&WITH_PASSWORD[..], &TOKEN_ONLY].concat() {
        assert!(matches!(use_case(&play, &caller, Reauthentication::None), Err(AuthError::ReauthenticationRequired)));
    }
}

#[test]
fn wrong_passwords_are_throttled_like_those_of_logins() {
    let play = Play::new();
    let caller = play.caller(&owner(&play)).unwrap();
    let with = |password| change_phone(&play, &caller, Reauthentication::by_password(Some(password), &play.client));
    let throttled = (0..20).any(|_| matches!(with("wrong"), Err(AuthError::TooMany(_))));
    assert!(throttled && matches!(with(PASSWORD), Err(AuthError::TooMany(_))));
}

#[test]
fn names_and_taking_a_requested_address_back_need_no_recent_login() {
    let play = Play::new();
    let pair = owner(&play);
    change_email(&play, &play.caller(&pair).unwrap(), Reauthentication::None).unwrap();
    play.world.clock.advance(Duration::from_secs(901));
    let caller = play.caller(&pair).unwrap();
    let names = ProfileChanges { first_name: Some("Augusta"), email: None, ..NEW_EMAIL };
    let same_phone = ProfileChanges { phone: Some(PHONE), ..names };
    let again = NEW_EMAIL;
    let back = ProfileChanges { email: Some(EMAIL), ..NEW_EMAIL };
    for to in [names, same_phone, again, back] {
        update(&play, &caller, to, Reauthentication::None).unwrap();
    }
    let wrong = update(&play, &caller, names, Reauthentication::by_password(Some("wrong"), &play.client));
    assert!(matches!(wrong, Err(AuthError::WrongPassword)));
}

const NO_FACTOR: StepUpFactor<'_> = StepUpFactor::Ask { sms: false };

fn step_up(play: &Play, pair: &TokenPair, factor: StepUpFactor<'_>) -> Result<SteppedUp, AuthError> {
    block_on(play.service.logins().step_up(&play.caller(pair).unwrap(), PASSWORD, factor, &play.client))
}

/// A pair of tokens whose access token is the one of a step-up.
fn stepped_up(play: &Play, pair: &TokenPair, factor: StepUpFactor<'_>) -> TokenPair {
    match step_up(play, pair, factor).unwrap() {
        SteppedUp::Token(access) => TokenPair { access, ..pair.clone() },
        SteppedUp::MfaRequired(_) => panic!("no second factor was expected"),
    }
}

/// Steps up with the code of a fresh challenge.
fn stepped_up_with_code(play: &Play, pair: &TokenPair) -> TokenPair {
    let SteppedUp::MfaRequired(challenge) = step_up(play, pair, NO_FACTOR).unwrap() else { panic!("a factor is on") };
    play.deliver();
    let code = play.world.sms_sender.code().unwrap();
    stepped_up(
        play,
        pair,
        StepUpFactor::Answer(FactorAnswer {
            method: None,
            challenge: Some(&challenge.token.expose()),
            response: code.expose(),
        }),
    )
}

#[test]
fn a_step_up_is_recent_and_a_refresh_returns_to_the_login() {
    let play = Play::new();
    let pair = owner(&play);
    play.world.clock.advance(Duration::from_secs(901));
    assert!(matches!(export(&play, &play.caller(&pair).unwrap(), NONE), Err(AuthError::ReauthenticationRequired)));
    let fresh = stepped_up(&play, &pair, NO_FACTOR);
    export(&play, &play.caller(&fresh).unwrap(), NONE).unwrap();
    let refreshed = block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).unwrap();
    let old = export(&play, &play.caller(&refreshed).unwrap(), NONE);
    assert!(matches!(old, Err(AuthError::ReauthenticationRequired)));
}

#[test]
fn with_a_second_factor_on_the_password_alone_is_not_enough() {
    let play = Play::new();
    let pair = owner(&play);
    set_mfa(&play, &play.caller(&pair).unwrap(), NONE).unwrap();
    // the session that switched it on stays, but its login showed no factor
    let given = Reauthentication::by_password(Some(PASSWORD), &play.client);
    for use_case in [change_email, set_mfa, delete] {
        for given in [NONE, given] {
            let refused = use_case(&play, &play.caller(&pair).unwrap(), given);
            assert!(matches!(refused, Err(AuthError::ReauthenticationRequired)), "{refused:?}");
        }
    }
    let changed = block_on(play.service.passwords().change_password(
        &play.caller(&pair).unwrap(),
        PASSWORD,
        "Mj4$rB8?nL1c-garden",
        &play.client,
    ));
    assert!(matches!(changed, Err(AuthError::ReauthenticationRequired)), "{changed:?}");
    play.world.clock.advance(Duration::from_secs(61));
    let fresh = stepped_up_with_code(&play, &pair);
    set_mfa(&play, &play.caller(&fresh).unwrap(), NONE).unwrap();
}

#[test]
fn a_challenge_of_a_step_up_opens_no_session() {
    let play = Play::new();
    let pair = owner(&play);
    set_mfa(&play, &play.caller(&pair).unwrap(), NONE).unwrap();
    play.world.clock.advance(Duration::from_secs(61));
    let SteppedUp::MfaRequired(challenge) = step_up(&play, &pair, NO_FACTOR).unwrap() else { panic!("a factor is on") };
    play.deliver();
    let code = play.world.sms_sender.code().unwrap();
    let opened = block_on(play.service.logins().log_in_second_factor(
        &play.realm,
        &challenge.token.expose(),
        None,
        code.expose(),
        &play.client,
    ));
    assert!(matches!(opened, Err(AuthError::InvalidToken)));
    let answer = StepUpFactor::Answer(FactorAnswer {
        method: None,
        challenge: Some(&challenge.token.expose()),
        response: code.expose(),
    });
    let _ = stepped_up(&play, &pair, answer);
    assert!(matches!(step_up(&play, &pair, answer), Err(AuthError::InvalidToken)), "a code is good once");
}

#[test]
fn a_switched_factor_ends_every_other_session_and_pending_change_and_keeps_its_own() {
    let play = Play::new();
    let pair = owner(&play);
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    change_email(&play, &play.caller(&other).unwrap(), NONE).unwrap();
    play.deliver();
    let link = play.link("email_change_confirm");
    set_mfa(&play, &play.caller(&pair).unwrap(), NONE).unwrap();
    assert!(play.caller(&other).is_err(), "the other session has ended");
    assert!(matches!(play.verify(&link), Err(AuthError::InvalidToken)), "the pending change has ended");
    assert!(play.caller(&pair).unwrap().user.mfa_sms, "its own session stays");
    let refreshed = block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).unwrap();
    assert!(play.caller(&refreshed).is_ok());
}

/// Anywhere that a password or code is taken.
#[test]
fn the_fifth_wrong_password_in_a_session_ends_it() {
    let play = Play::new();
    let pair = owner(&play);
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    let wrong = Reauthentication::by_password(Some("wrong"), &play.client);
    for use_case in [change_email, change_phone, delete, set_mfa] {
        let refused = use_case(&play, &play.caller(&pair).unwrap(), wrong);
        assert!(matches!(refused, Err(AuthError::WrongPassword)));
    }
    let stepped =
        block_on(play.service.logins().step_up(&play.caller(&pair).unwrap(), "wrong", NO_FACTOR, &play.client));
    assert!(matches!(stepped, Err(AuthError::WrongPassword)));
    assert!(matches!(play.caller(&pair), Err(AuthError::NotAuthenticated)));
    assert!(block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).is_err());
    assert!(play.caller(&other).is_ok(), "another session of the account stays");
    let of_session = |kind| {
        let events = play.world.audit.all().into_iter();
        events.filter(|event| event.kind == kind && event.session == Some(pair.session)).count()
    };
    assert_eq!((of_session(EventKind::LoginFailed), of_session(EventKind::SessionEndedByFailures)), (5, 1));
}

#[test]
fn the_notice_of_a_new_phone_goes_to_the_address_of_the_account() {
    let play = Play::new();
    let pair = owner(&play);
    change_phone(&play, &play.caller(&pair).unwrap(), Reauthentication::None).unwrap();
    play.deliver();
    let told = play.world.mailer.sent_to(EMAIL);
    assert_eq!(told.iter().filter(|sent| sent.message.template() == "phone_changed").count(), 1);
}
