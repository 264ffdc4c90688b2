//! Recent authentication in front of the use cases that need it.

use std::time::Duration;

use super::{EMAIL, PASSWORD, PHONE, Play};
use portcullis_core::model::message::Channel;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::shared::caller::Caller;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;

const NEW_EMAIL: ProfileChanges<'_> = ProfileChanges {
    first_name: None,
    last_name: None,
    email: Some("new@example.org"),
    phone: None,
    country_code: None,
};
const NEW_PHONE: ProfileChanges<'_> = ProfileChanges { email: None, phone: Some("+1987654321"), ..NEW_EMAIL };

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
    block_on(play.service.factors().set_mfa_sms(caller, !caller.user.mfa_sms, given))
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

/// The use cases that take a password, and those that take only the token.
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

#[test]
fn a_code_switches_a_factor_off_and_not_on() {
    let play = Play::new();
    let pair = owner(&play);
    play.world.clock.advance(Duration::from_secs(901));
    let caller = || play.caller(&pair).unwrap();
    let token = play.challenge(&pair);
    let code = play.world.sms_sender.code().unwrap();
    let given = Reauthentication::Otp { token: &token, otp: code.expose() };
    assert!(matches!(set_mfa(&play, &caller(), given), Err(AuthError::ReauthenticationRequired)));
    set_mfa(&play, &caller(), Reauthentication::by_password(Some(PASSWORD), &play.client)).unwrap();
    set_mfa(&play, &caller(), given).unwrap();
    assert!(!caller().user.mfa_sms);
}

#[test]
fn a_new_phone_is_told_to_the_address_of_the_account() {
    let play = Play::new();
    let pair = owner(&play);
    change_phone(&play, &play.caller(&pair).unwrap(), Reauthentication::None).unwrap();
    play.deliver();
    let told = play.world.mailer.sent_to(EMAIL);
    assert_eq!(told.iter().filter(|sent| sent.message.template() == "phone_changed").count(), 1);
}
