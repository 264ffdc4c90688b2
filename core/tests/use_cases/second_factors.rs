//! Wrong second factors: counted over all challenges and addresses, with a mail to the owner.

use std::time::Duration;

use super::{EMAIL, PASSWORD, Play};
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;

/// Somebody whose logins ask for a code.
fn with_second_factor() -> Play {
    let play = Play::new();
    let pair = play.user();
    play.proves_phone(&pair, super::PHONE);
    play.switches_mfa(&pair, true);
    play
}

impl Play {
    /// A login's challenge and the code that was sent.
    fn login_challenge(&self, from: u8) -> (String, String) {
        let client = Self::from(from);
        let asked = block_on(self.service.logins().log_in(&self.realm, EMAIL, PASSWORD, &client)).unwrap();
        let LoggedIn::MfaRequired(asked) = asked else { panic!("a code is asked for") };
        self.deliver();
        (asked.token.expose(), self.world.sms_sender.last().unwrap().message.content.code.expose().to_owned())
    }

    fn answer_login(&self, challenge: &str, otp: &str, from: u8) -> Result<TokenPair, AuthError> {
        let client = Self::from(from);
        let answer = block_on(self.service.logins().log_in_second_factor(&self.realm, challenge, None, otp, &client));
        self.deliver();
        answer
    }
}

fn wrong(code: &str) -> &'static str {
    if code == "111111" { "222222" } else { "111111" }
}

/// So many wrong codes, five for each challenge, each challenge from another address.
fn fail(play: &Play, times: u8) {
    let mut challenge = None;
    for n in 0..times {
        if n % 5 == 0 {
            play.world.forget_rate_limits();
            challenge = Some(play.login_challenge(n));
        }
        let (token, code) = challenge.as_ref().unwrap();
        assert!(matches!(play.answer_login(token, wrong(code), n), Err(AuthError::InvalidToken)), "{n}");
    }
}

fn notices(play: &Play) -> usize {
    play.world.mailer.templates().iter().filter(|template| **template == "factors_throttled").count()
}

#[test]
fn ten_wrong_ones_over_all_challenges_and_addresses_slow_the_next_down() {
    let play = with_second_factor();
    fail(&play, 9);
    assert_eq!(notices(&play), 0);
    fail(&play, 1);
    assert_eq!(notices(&play), 1, "the owner is told");
    // a right password does not reset the count, and the right code has to wait too
    play.world.forget_rate_limits();
    let (challenge, code) = play.login_challenge(77);
    let Err(AuthError::TooMany(wait)) = play.answer_login(&challenge, &code, 78) else { panic!("it is slowed down") };
    assert_eq!(wait, Duration::from_secs(60));
    play.world.clock.advance(wait);
    play.answer_login(&challenge, &code, 78).unwrap();
    // a right factor does
    fail(&play, 9);
    play.world.forget_rate_limits();
    let (challenge, code) = play.login_challenge(79);
    play.answer_login(&challenge, &code, 79).unwrap();
    assert_eq!(notices(&play), 1);
}

#[test]
fn a_code_that_was_not_compared_does_not_count() {
    let play = with_second_factor();
    play.world.forget_rate_limits();
    let (challenge, code) = play.login_challenge(1);
    for n in 0..5 {
        assert!(matches!(play.answer_login(&challenge, wrong(&code), n), Err(AuthError::InvalidToken)));
    }
    // the challenge has no tries left, and this is no code at all
    for _ in 0..20 {
        assert!(matches!(play.answer_login(&challenge, &code, 1), Err(AuthError::InvalidToken)));
        assert!(matches!(play.answer_login(&challenge, "12345", 1), Err(AuthError::InvalidToken)));
    }
    assert_eq!(notices(&play), 0);
    play.world.forget_rate_limits();
    let (challenge, code) = play.login_challenge(1);
    play.answer_login(&challenge, &code, 1).unwrap();
}

#[test]
fn deletion_forgets_the_count() {
    let play = with_second_factor();
    fail(&play, 3);
    play.world.forget_rate_limits();
    let (challenge, code) = play.login_challenge(1);
    let pair = play.answer_login(&challenge, &code, 1).unwrap();
    let caller = play.caller(&pair).unwrap();
    block_on(
        play.service
            .accounts()
            .delete_account(&caller, portcullis_core::use_cases::shared::reauthenticate::Reauthentication::None),
    )
    .unwrap();
    assert!(play.world.guard.is_empty(), "nothing is counted of the account");
}
