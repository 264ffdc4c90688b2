//! An authenticator app and backup codes: on, used, and off again.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::login::step_up::{StepUpFactor, SteppedUp};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use portcullis_core::use_cases::shared::otp::FactorChallenge;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;

/// Somebody with an authenticator app.
pub struct WithApp {
    pub play: Play,
    pub pair: TokenPair,
    pub secret: TotpSecret,
    pub codes: Vec<TypedCode>,
}

impl WithApp {
    pub fn new() -> Self {
        let play = Play::new();
        let pair = play.user();
        let (secret, codes) = play.enrols(&pair);
        Self { play, pair, secret, codes }
    }

    /// The app's code of the step that is so many after the current one.
    fn code(&self, steps: i64) -> String {
        let step = step_at(self.play.world.clock.now()).saturating_add_signed(steps);
        self.secret.code_of(step).unwrap().expose().to_owned()
    }

    /// The code of the next step that has not begun: a new one each time.
    pub fn next_code(&self) -> String {
        self.play.world.clock.advance(Duration::from_secs(60));
        self.code(0)
    }

    fn logs_in(&self, otp: &str) -> Result<TokenPair, AuthError> {
        self.play.answers(&self.play.factor_challenge(), None, otp)
    }

    /// Steps up with a code, and has the new access token in the pair.
    pub fn steps_up(&self, pair: &TokenPair, otp: &str) -> Result<TokenPair, AuthError> {
        let caller = self.play.caller(pair)?;
        let answer = StepUpFactor::Answer(FactorAnswer { method: None, challenge: None, response: otp });
        match block_on(self.play.service.logins().step_up(&caller, PASSWORD, answer, &self.play.client))? {
            SteppedUp::Token(access) => Ok(TokenPair { access, ..pair.clone() }),
            SteppedUp::MfaRequired(_) => panic!("a factor was shown"),
        }
    }
}

impl Play {
    /// Adds an authenticator app.
    pub fn enrols(&self, pair: &TokenPair) -> (TotpSecret, Vec<TypedCode>) {
        let factors = self.service.factors();
        let begun = block_on(factors.begin_totp(&self.caller(pair).unwrap(), Reauthentication::None)).unwrap();
        let secret = TotpSecret::parse(begun.secret.expose()).unwrap();
        let code = secret.code_of(step_at(self.world.clock.now())).unwrap();
        let codes = block_on(factors.confirm_totp(&self.caller(pair).unwrap(), code.expose())).unwrap();
        self.deliver();
        (secret, codes)
    }

    pub fn factor_challenge(&self) -> FactorChallenge {
        self.world.forget_rate_limits();
        match block_on(self.service.logins().log_in(&self.realm, EMAIL, PASSWORD, &self.client)).unwrap() {
            LoggedIn::MfaRequired(challenge) => challenge,
            LoggedIn::Session(_) | LoggedIn::EnrolmentRequired(_) => panic!("a second factor is on"),
        }
    }

    pub fn answers(
        &self,
        challenge: &FactorChallenge,
        method: Option<FactorMethod>,
        otp: &str,
    ) -> Result<TokenPair, AuthError> {
        let token = challenge.token.expose();
        block_on(self.service.logins().log_in_second_factor(&self.realm, &token, method, otp, &self.client))
    }

    fn mails(&self, template: &str) -> usize {
        self.world.mailer.templates().iter().filter(|sent| **sent == template).count()
    }
}

#[test]
fn a_key_counts_once_its_first_code_came_back() {
    let play = Play::new();
    let pair = play.user();
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    let factors = play.service.factors();
    let begin = |pair| block_on(factors.begin_totp(&play.caller(pair).unwrap(), Reauthentication::None));
    let confirm = |pair, code: &str| block_on(factors.confirm_totp(&play.caller(pair).unwrap(), code));
    assert!(matches!(confirm(&pair, "123456"), Err(AuthError::InvalidToken)), "nothing was begun");
    let begun = begin(&pair).unwrap();
    assert!(begun.uri.expose().contains("ada%40example.com"));
    let code_of = |text: &str| {
        let now = step_at(play.world.clock.now());
        TotpSecret::parse(text).unwrap().code_of(now).unwrap().expose().to_owned()
    };
    let code = code_of(begun.secret.expose());
    assert!(matches!(confirm(&other, &code), Err(AuthError::InvalidToken)), "another session did not begin it");
    let wrong = if code == "000000" { "111111" } else { "000000" };
    assert!(matches!(confirm(&pair, wrong), Err(AuthError::InvalidToken)));
    assert!(play.log_in(EMAIL, PASSWORD).is_ok(), "it is not on yet");
    // ten minutes, and a newer key replaces the older one
    play.world.clock.advance(Duration::from_secs(600));
    assert!(matches!(confirm(&pair, &code_of(begun.secret.expose())), Err(AuthError::InvalidToken)));
    let newer = begin(&pair).unwrap();
    assert!(matches!(confirm(&pair, &code_of(begun.secret.expose())), Err(AuthError::InvalidToken)));
    let code = code_of(newer.secret.expose());
    assert_eq!(confirm(&pair, &code).unwrap().len(), 10);
    assert!(matches!(begin(&pair), Err(AuthError::ReauthenticationRequired)), "the session has shown no factor");
    assert!(play.caller(&other).is_err(), "every other session has ended");
    play.deliver();
    assert_eq!(play.mails("mfa_changed"), 1);
    // the code that confirmed it opens nothing
    let challenge = play.factor_challenge();
    assert_eq!(challenge.methods, [FactorMethod::Totp, FactorMethod::BackupCode]);
    assert!(matches!(play.answers(&challenge, None, &code), Err(AuthError::InvalidToken)));
}

#[test]
fn five_wrong_first_codes_end_the_session() {
    let play = Play::new();
    let pair = play.user();
    let factors = play.service.factors();
    block_on(factors.begin_totp(&play.caller(&pair).unwrap(), Reauthentication::None)).unwrap();
    let pending = |n: u32| {
        let user = play.world.users.all()[0].clone();
        assert!(user.factors.pending_totp.is_some(), "{n}");
    };
    // six codes in a row can't all be around the current step
    for n in 0..5 {
        pending(n);
        let code = format!("{n}{n}{n}{n}{n}{n}");
        assert!(matches!(
            block_on(factors.confirm_totp(&play.caller(&pair).unwrap(), &code)),
            Err(AuthError::InvalidToken)
        ));
    }
    assert!(play.caller(&pair).is_err());
}

#[test]
fn a_code_opens_one_session() {
    let app = WithApp::new();
    let code = app.next_code();
    let challenge = app.play.factor_challenge();
    let pair = app.play.answers(&challenge, None, &code).unwrap();
    let claims = app.play.caller(&pair).unwrap().claims;
    assert_eq!((claims.methods.amr(), claims.methods.acr()), (vec!["pwd", "otp", "mfa"], "aal2"));
    assert!(matches!(app.play.answers(&challenge, None, &code), Err(AuthError::InvalidToken)), "the challenge is used");
    assert!(matches!(app.logs_in(&code), Err(AuthError::InvalidToken)), "the code is used");
    assert!(matches!(app.logs_in(&app.code(-1)), Err(AuthError::InvalidToken)), "an older one too");
    app.logs_in(&app.code(1)).unwrap();
    assert!(matches!(app.steps_up(&pair, &app.code(1)), Err(AuthError::InvalidToken)), "used at the login");
    let before = app.play.world.users.all()[0].updated_at;
    let stepped = app.steps_up(&pair, &app.next_code()).unwrap();
    assert!(app.play.caller(&stepped).unwrap().claims.methods.has_factor_beyond_sms());
    assert_eq!(app.play.world.users.all()[0].updated_at, before, "a login is no change of the account");
}

#[test]
fn a_backup_code_works_once_and_the_owner_is_told_how_many_are_left() {
    let app = WithApp::new();
    let first = &app.codes[0];
    let typed = format!(" {} ", first.grouped().to_lowercase());
    let pair = app.logs_in(&typed).unwrap();
    assert!(matches!(app.logs_in(first.expose()), Err(AuthError::InvalidToken)));
    app.play.deliver();
    assert_eq!(app.play.mails("backup_code_used"), 1);
    assert!(app.play.world.audit.kinds().contains(&EventKind::BackupCodeUsed));
    let left = |pair| {
        let caller = app.play.caller(pair).unwrap();
        app.play.service.factors().factor_overview(&caller).unwrap().backup_codes
    };
    assert_eq!(left(&pair), 9);
    // new ones kill the older
    let caller = app.play.caller(&pair).unwrap();
    let newer = block_on(app.play.service.factors().create_backup_codes(&caller, Reauthentication::None)).unwrap();
    assert_eq!(left(&pair), 10);
    assert!(matches!(app.logs_in(app.codes[1].expose()), Err(AuthError::InvalidToken)));
    for code in &newer {
        app.logs_in(code.expose()).unwrap();
    }
    assert_eq!(app.play.factor_challenge().methods, [FactorMethod::Totp], "none is left");
    assert!(matches!(app.logs_in(newer[0].expose()), Err(AuthError::InvalidToken)));
}

#[test]
fn backup_codes_need_a_factor() {
    let play = Play::new();
    let pair = play.user();
    let codes =
        block_on(play.service.factors().create_backup_codes(&play.caller(&pair).unwrap(), Reauthentication::None));
    assert!(matches!(codes, Err(AuthError::MfaOff)));
}

#[test]
fn wrong_codes_of_every_kind_are_counted_together() {
    let app = WithApp::new();
    let challenge = app.play.factor_challenge();
    for n in 0..10 {
        let wrong = if n % 2 == 0 { "000000".to_owned() } else { "AAAAA-AAAAA".to_owned() };
        let wrong = if wrong == app.code(0) { "111111".to_owned() } else { wrong };
        assert!(matches!(app.play.answers(&challenge, None, &wrong), Err(AuthError::InvalidToken)), "{n}");
    }
    app.play.deliver();
    assert_eq!(app.play.mails("factors_throttled"), 1);
    assert!(matches!(app.play.answers(&challenge, None, app.codes[0].expose()), Err(AuthError::TooMany(_))));
    app.play.answers(&challenge, None, &app.next_code()).unwrap();
}

#[test]
fn removal_needs_a_recent_factor_and_takes_the_backup_codes_along() {
    let app = WithApp::new();
    let factors = app.play.service.factors();
    let remove = |pair| block_on(factors.remove_totp(&app.play.caller(pair).unwrap(), Reauthentication::None));
    assert!(matches!(remove(&app.pair), Err(AuthError::ReauthenticationRequired)), "only the password was shown");
    let shown = app.steps_up(&app.pair, &app.next_code()).unwrap();
    app.play.world.clock.advance(Duration::from_secs(901));
    assert!(matches!(remove(&shown), Err(AuthError::ReauthenticationRequired)), "too long ago");
    let shown = app.steps_up(&app.pair, app.codes[0].expose()).unwrap();
    remove(&shown).unwrap();
    remove(&shown).unwrap();
    let user = app.play.world.users.all()[0].clone();
    assert!(user.factors == portcullis_core::model::factor::SealedFactors::default() && !user.has_second_factor());
    assert!(app.play.log_in(EMAIL, PASSWORD).is_ok());
    app.play.deliver();
    assert_eq!(app.play.mails("mfa_changed"), 2);
}

#[test]
fn an_sms_neither_removes_an_app_nor_makes_backup_codes() {
    let app = WithApp::new();
    let shown = app.steps_up(&app.pair, &app.next_code()).unwrap();
    app.play.proves_phone(&shown, super::PHONE);
    let caller = app.play.caller(&shown).unwrap();
    let factors = app.play.service.factors();
    let on = block_on(factors.set_mfa_sms(&caller, true, Reauthentication::None)).unwrap();
    assert!(on.sms && on.totp && on.backup_codes == 10);
    app.play.deliver();
    // no text is sent before somebody asks for it
    let texts = app.play.world.sms_sender.sent().len();
    let challenge = app.play.factor_challenge();
    assert_eq!(challenge.methods, [FactorMethod::Totp, FactorMethod::BackupCode, FactorMethod::Sms]);
    app.play.deliver();
    assert_eq!(app.play.world.sms_sender.sent().len(), texts);
    let ask = || block_on(app.play.service.logins().send_login_code(&app.play.realm, &challenge.token.expose()));
    for _ in 0..3 {
        ask().unwrap();
    }
    app.play.deliver();
    ask().unwrap();
    app.play.deliver();
    assert_eq!(app.play.world.sms_sender.sent().len(), texts + 1, "one code for one challenge");
    let code = app.play.world.sms_sender.code().unwrap();
    assert!(matches!(app.play.answers(&challenge, None, code.expose()), Err(AuthError::InvalidToken)), "an app's code");
    let by_sms = app.play.answers(&challenge, Some(FactorMethod::Sms), code.expose()).unwrap();
    let caller = app.play.caller(&by_sms).unwrap();
    let removed = block_on(factors.remove_totp(&caller, Reauthentication::None));
    assert!(matches!(removed, Err(AuthError::ReauthenticationRequired)));
    let codes = block_on(factors.create_backup_codes(&caller, Reauthentication::None));
    assert!(matches!(codes, Err(AuthError::ReauthenticationRequired)));
    // the app off: SMS and the backup codes stay
    let by_app = app.logs_in(&app.next_code()).unwrap();
    block_on(factors.remove_totp(&app.play.caller(&by_app).unwrap(), Reauthentication::None)).unwrap();
    assert_eq!(app.play.factor_challenge().methods, [FactorMethod::BackupCode, FactorMethod::Sms]);
}

#[test]
fn a_password_reset_keeps_the_factors() {
    let app = WithApp::new();
    block_on(app.play.service.passwords().request_reset(&app.play.realm, EMAIL, &app.play.client)).unwrap();
    app.play.deliver();
    let link = app.play.link("mail_password_reset");
    block_on(app.play.service.passwords().reset_password(&app.play.realm, &link, OTHER, &app.play.client)).unwrap();
    let asked = block_on(app.play.service.logins().log_in(&app.play.realm, EMAIL, OTHER, &app.play.client)).unwrap();
    let LoggedIn::MfaRequired(challenge) = asked else { panic!("the app is still asked for") };
    app.play.answers(&challenge, None, &app.next_code()).unwrap();
}

#[test]
fn a_thief_who_swaps_the_app_loses_it_to_the_undo_link() {
    let app = WithApp::new();
    let shown = app.logs_in(app.codes[0].expose()).unwrap();
    block_on(app.play.service.factors().remove_totp(&app.play.caller(&shown).unwrap(), Reauthentication::None))
        .unwrap();
    app.play.deliver();
    let link = app.play.undo_link(EMAIL);
    let (thiefs, thiefs_codes) = app.play.enrols(&shown);
    app.play.undo(&link, Some(PASSWORD)).unwrap();
    let challenge = app.play.factor_challenge();
    let step = step_at(app.play.world.clock.now());
    let thiefs_code = thiefs.code_of(step + 1).unwrap();
    assert!(matches!(app.play.answers(&challenge, None, thiefs_code.expose()), Err(AuthError::InvalidToken)));
    assert!(matches!(app.play.answers(&challenge, None, thiefs_codes[0].expose()), Err(AuthError::InvalidToken)));
    assert!(matches!(app.play.answers(&challenge, None, app.codes[0].expose()), Err(AuthError::InvalidToken)), "used");
    // a code that may have been used before the undo is not good again
    assert!(matches!(app.play.answers(&challenge, None, &app.code(0)), Err(AuthError::InvalidToken)));
    app.play.answers(&challenge, None, app.codes[1].expose()).unwrap();
    app.logs_in(&app.next_code()).unwrap();
}

#[test]
fn an_undo_link_brings_no_used_backup_code_back() {
    let app = WithApp::new();
    // a change whose former state has all ten codes; then one is used, and the set is replaced
    let shown = app.logs_in(&app.next_code()).unwrap();
    app.play.change_phone(&shown, "+12025550199");
    app.play.deliver();
    let link = app.play.undo_link(EMAIL);
    let shown = app.logs_in(app.codes[0].expose()).unwrap();
    let caller = app.play.caller(&shown).unwrap();
    block_on(app.play.service.factors().create_backup_codes(&caller, Reauthentication::None)).unwrap();
    app.play.undo(&link, Some(PASSWORD)).unwrap();
    assert!(matches!(app.logs_in(app.codes[0].expose()), Err(AuthError::InvalidToken)));
    app.logs_in(app.codes[1].expose()).unwrap();
}

#[test]
fn enrolment_undone_leaves_the_account_without_the_app() {
    let app = WithApp::new();
    app.play.undo(&app.play.undo_link(EMAIL), Some(PASSWORD)).unwrap();
    assert!(app.play.log_in(EMAIL, PASSWORD).is_ok());
}

#[test]
fn an_operator_resets_the_factors_of_somebody_who_lost_them() {
    let app = WithApp::new();
    let operators = app.play.service.operators();
    let reset = block_on(operators.reset_factors(&app.play.realm, EMAIL)).unwrap();
    assert_eq!((reset.user, reset.sessions), (app.pair.user, 1));
    assert!(app.play.caller(&app.pair).is_err(), "every session has ended");
    assert!(app.play.world.audit.kinds().contains(&EventKind::FactorsReset));
    assert!(app.play.log_in(EMAIL, PASSWORD).is_ok());
    app.play.deliver();
    assert_eq!(app.play.mails("factors_reset"), 1);
    let again = block_on(operators.reset_factors(&app.play.realm, EMAIL));
    assert!(matches!(again, Err(AuthError::MfaOff)));
    let nobody = block_on(operators.reset_factors(&app.play.realm, "nobody@example.com"));
    assert!(matches!(nobody, Err(AuthError::NotFound)));
    // an operator who was deceived: the owner takes it back
    app.play.undo(&app.play.undo_link(EMAIL), Some(PASSWORD)).unwrap();
    app.logs_in(app.codes[0].expose()).unwrap();
}

/// The password was shown again, the code was not.
#[test]
fn a_new_password_makes_no_older_second_factor_recent() {
    let with_app = WithApp::new();
    let pair = with_app.logs_in(&with_app.next_code()).unwrap();
    let plain = Play::new();
    let of_plain = plain.user();
    for (play, pair, keeps) in [(&with_app.play, pair, true), (&plain, of_plain, false)] {
        let authenticated_at = |pair| play.caller(pair).unwrap().claims.authenticated_at;
        let at_login = authenticated_at(&pair);
        play.world.clock.advance(Duration::from_secs(600));
        let renewed = play.change_password(&pair, PASSWORD, OTHER);
        assert_eq!(authenticated_at(&renewed) == at_login, keeps);
    }
}
