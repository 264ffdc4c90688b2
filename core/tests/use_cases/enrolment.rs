//! The first factor of an account that must have one: proven by the mailbox, and the only thing that its password opens.

use std::sync::Barrier;
use std::time::Duration;

use super::crash_points::{at_every_step, queued, recorded};
use super::totp::WithApp;
use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::one_time_token::Purpose;
use portcullis_core::model::passkey::PasskeyName;
use portcullis_core::model::quota::Quota;
use portcullis_core::model::role::RoleName;
use portcullis_core::model::secret::{OpaqueToken, SecretString};
use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_core::policy::Policy;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::login::enrol::{Enrolled, EnrolmentChallenge, EnrolmentOffer, FirstFactor};
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::operator::roles::RolesEdit;
use portcullis_core::use_cases::recovery::undo::UndoProof;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::fakes::passkey_verifier::new_passkey;
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;

/// Requires a second factor from now on.
fn require(play: &mut Play) {
    let policy = Policy { mfa_required: [play.realm.clone()].into(), ..play.service.policy.clone() };
    play.service = AuthService::new(play.world.ports(), policy);
}

/// Somebody without a factor, with a session from before the realm required one.
fn unprotected() -> (Play, TokenPair) {
    let mut play = Play::new();
    let pair = play.user();
    require(&mut play);
    (play, pair)
}

/// Runs so many at once; how many of them succeed.
fn at_once(tasks: usize, task: impl Fn(usize) -> bool + Sync) -> usize {
    let start = Barrier::new(tasks);
    let run = |nth| {
        start.wait();
        task(nth)
    };
    std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = (0..tasks).map(|nth| scope.spawn(move || run(nth))).collect();
        running.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
    })
}

impl Play {
    fn begins_enrolment(&self) -> EnrolmentChallenge {
        self.world.forget_rate_limits();
        let asked = block_on(self.service.logins().log_in(&self.realm, EMAIL, PASSWORD, &self.client)).unwrap();
        let LoggedIn::EnrolmentRequired(challenge) = asked else { panic!("a factor must be added") };
        self.deliver();
        challenge
    }

    fn mailed_code(&self) -> String {
        self.world.mailer.code().unwrap().expose().to_owned()
    }

    fn confirms(&self, token: &str, code: &str) -> Result<EnrolmentOffer, AuthError> {
        block_on(self.service.logins().confirm_enrolment(&self.realm, token, code))
    }

    fn offer(&self) -> EnrolmentOffer {
        let challenge = self.begins_enrolment();
        self.confirms(&challenge.token.expose(), &self.mailed_code()).unwrap()
    }

    fn enrols_first(&self, offer: &EnrolmentOffer, factor: FirstFactor<'_>) -> Result<Enrolled, AuthError> {
        block_on(self.service.logins().enrol(&self.realm, &offer.token.expose(), factor, &self.client))
    }

    fn first_code(&self, offer: &EnrolmentOffer) -> String {
        let secret = TotpSecret::parse(offer.secret.expose()).unwrap();
        secret.code_of(step_at(self.world.clock.now())).unwrap().expose().to_owned()
    }

    fn first_app(&self) -> TokenPair {
        let offer = self.offer();
        match self.enrols_first(&offer, FirstFactor::Totp(&self.first_code(&offer))).unwrap() {
            Enrolled::Session(pair, codes) => {
                assert_eq!(codes.len(), 10);
                pair
            }
            Enrolled::MfaRequired(_) => panic!("the factor was shown"),
        }
    }
}

#[test]
fn a_right_password_opens_nothing_until_mailbox_and_factor_are_shown() {
    let (play, old) = unprotected();
    let refresh = || block_on(play.service.sessions().refresh(&play.realm, old.refresh.expose()));
    let introspect = || block_on(play.service.sessions().introspect(&play.realm, old.refresh.expose())).unwrap();
    assert!(matches!(play.caller(&old), Err(AuthError::NotAuthenticated)), "a stolen session adds no factor");
    assert!(matches!(refresh(), Err(AuthError::InvalidGrant)) && introspect().is_none());
    let challenge = play.begins_enrolment();
    let (token, code) = (challenge.token.expose(), play.mailed_code());
    assert!(matches!(play.confirms(&token, "AAAAAA"), Err(AuthError::InvalidToken)));
    let other = samples::realm("User2");
    let elsewhere = block_on(play.service.logins().confirm_enrolment(&other, &token, &code));
    assert!(matches!(elsewhere, Err(AuthError::InvalidToken)));
    let too_early = block_on(play.service.logins().enrol(&play.realm, &token, FirstFactor::Sms, &play.client));
    assert!(matches!(too_early, Err(AuthError::InvalidToken)), "the mailbox is not proven yet");
    let offer = play.confirms(&token, &code.to_lowercase()).unwrap();
    assert!(matches!(play.confirms(&token, &code), Err(AuthError::InvalidToken)), "it was used");
    assert_eq!(offer.methods, [FactorMethod::Passkey, FactorMethod::Totp]);
    assert!(play.world.users.all()[0].factors.totp.is_none(), "nothing is stored yet");
    assert!(matches!(play.enrols_first(&offer, FirstFactor::Totp("000000")), Err(AuthError::InvalidToken)));
    assert!(matches!(play.enrols_first(&offer, FirstFactor::Sms), Err(AuthError::PhoneNotVerified)));
    let first = play.first_code(&offer);
    let Enrolled::Session(pair, codes) = play.enrols_first(&offer, FirstFactor::Totp(&first)).unwrap() else {
        panic!("the factor was shown")
    };
    assert_eq!(codes.len(), 10);
    let caller = play.caller(&pair).unwrap();
    assert_eq!((caller.claims.methods.amr(), caller.claims.methods.acr()), (vec!["pwd", "otp", "mfa"], "aal2"));
    assert!(matches!(play.caller(&old), Err(AuthError::NotAuthenticated)) && refresh().is_err(), "it has ended");
    assert!(matches!(play.enrols_first(&offer, FirstFactor::Totp(&first)), Err(AuthError::InvalidToken)));
    play.deliver();
    assert!(play.world.mailer.templates().contains(&"mfa_changed"), "the owner is told");
    let challenge = play.factor_challenge();
    assert!(play.answers(&challenge, None, &first).is_err(), "the code was used");
    assert!(play.answers(&challenge, None, codes[0].expose()).is_ok());
}

#[test]
fn a_passkey_or_a_proven_phone_can_be_the_first_factor() {
    let (play, _) = unprotected();
    let offer = play.offer();
    let name = PasskeyName::parse("Laptop").unwrap();
    let response = new_passkey(&offer.token, "one", true);
    let factor = FirstFactor::Passkey { response: &response, name };
    let Enrolled::Session(pair, _) = play.enrols_first(&offer, factor).unwrap() else { panic!("it was shown") };
    assert_eq!(play.caller(&pair).unwrap().claims.methods.acr(), "phr");
    assert!(recorded(&play, EventKind::PasskeyAdded));

    let mut play = Play::new();
    let pair = play.user();
    play.proves_phone(&pair, PHONE);
    require(&mut play);
    let offer = play.offer();
    assert_eq!(offer.methods.last(), Some(&FactorMethod::Sms));
    let Enrolled::MfaRequired(challenge) = play.enrols_first(&offer, FirstFactor::Sms).unwrap() else {
        panic!("the phone has to be shown")
    };
    play.deliver();
    let code = play.world.sms_sender.last().unwrap().message.content.code;
    assert!(play.answers(&challenge, None, code.expose()).is_ok());
}

#[test]
fn code_and_offer_end_to_the_second_and_with_the_credentials_version() {
    let (play, _) = unprotected();
    let lifetime = Duration::from_secs(600);
    for late in [false, true] {
        let challenge = play.begins_enrolment();
        let code = play.mailed_code();
        play.world.clock.advance(lifetime.checked_sub(Duration::from_millis(u64::from(!late))).unwrap());
        let offer = play.confirms(&challenge.token.expose(), &code);
        assert_eq!(offer.is_ok(), !late);
    }
    for late in [false, true] {
        let offer = play.offer();
        play.world.clock.advance(lifetime.checked_sub(Duration::from_millis(u64::from(!late))).unwrap());
        let outcome = play.enrols_first(&offer, FirstFactor::Sms);
        let expected = matches!(outcome, Err(AuthError::PhoneNotVerified));
        assert_eq!(expected, !late, "{outcome:?}");
    }
    let challenge = play.begins_enrolment();
    let (code, offer) = (play.mailed_code(), play.offer());
    assert!(play.confirms(&challenge.token.expose(), &code).is_err(), "a newer login kills the older challenge");
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    block_on(play.service.operators().enable(&play.realm, EMAIL)).unwrap();
    assert!(matches!(play.enrols_first(&offer, FirstFactor::Sms), Err(AuthError::InvalidToken)));
}

#[test]
fn five_wrong_codes_end_a_challenge_and_ten_slow_the_account_down() {
    let (play, _) = unprotected();
    for round in 0..2 {
        let challenge = play.begins_enrolment();
        let code = play.mailed_code();
        for _ in 0..5 {
            let wrong = if code == "AAAAAA" { "CCCCCC" } else { "AAAAAA" };
            assert!(play.confirms(&challenge.token.expose(), wrong).is_err());
        }
        let right = play.confirms(&challenge.token.expose(), &code);
        assert_eq!(matches!(right, Err(AuthError::TooMany(_))), round == 1, "{right:?}");
        assert!(right.is_err());
    }
    play.deliver();
    assert!(play.world.mailer.templates().contains(&"factors_throttled"));
}

#[test]
fn an_account_gets_only_so_many_codes_a_day() {
    let (mut play, _) = unprotected();
    play.service.policy.mail.enrolment_codes = Quota::new(3, Duration::from_hours(24));
    for _ in 0..5 {
        let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client));
        assert!(matches!(asked, Ok(LoggedIn::EnrolmentRequired(_))), "{asked:?}");
        play.deliver();
    }
    let sent = play.world.mailer.templates();
    assert_eq!(sent.iter().filter(|name| **name == "enrolment_code").count(), 3);
}

#[test]
fn a_thief_of_the_password_spends_nothing_of_the_owner_who_resets_it() {
    let (mut play, _) = unprotected();
    play.service.policy.mail.enrolment_codes = Quota::new(2, Duration::from_hours(24));
    for _ in 0..2 {
        let challenge = play.begins_enrolment();
        let wrong = if play.mailed_code() == "AAAAAA" { "CCCCCC" } else { "AAAAAA" };
        for _ in 0..5 {
            assert!(play.confirms(&challenge.token.expose(), wrong).is_err());
        }
    }
    assert!(matches!(play.confirms(&play.begins_enrolment().token.expose(), "AAAAAA"), Err(AuthError::TooMany(_))));
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let link = play.link("mail_password_reset");
    block_on(play.service.passwords().reset_password(&play.realm, &link, OTHER, &play.client)).unwrap();
    play.world.forget_rate_limits();
    let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, OTHER, &play.client)).unwrap();
    let LoggedIn::EnrolmentRequired(challenge) = asked else { panic!("a factor must be added") };
    play.deliver();
    assert!(play.confirms(&challenge.token.expose(), &play.mailed_code()).is_ok());
}

#[test]
fn one_of_many_who_enrol_at_once_succeeds() {
    let (play, _) = unprotected();
    let offer = play.offer();
    let code = play.first_code(&offer);
    let token = offer.token.expose();
    let enrol = || block_on(play.service.logins().enrol(&play.realm, &token, FirstFactor::Totp(&code), &play.client));
    assert_eq!(at_once(4, |_| enrol().is_ok()), 1);
    assert_eq!(play.world.undos.all().len(), 1);
}

#[test]
fn asking_for_the_first_factor() {
    let story = |play: &Play, _: &TokenPair| {
        let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client));
        matches!(asked, Ok(LoggedIn::EnrolmentRequired(_)))
    };
    at_every_step(unprotected, story, |play, _, acknowledged| {
        let asked = play.world.tokens.all().iter().any(|token| token.holder.purpose == Purpose::EnrolmentCode);
        assert!(asked || !acknowledged);
        assert_eq!((recorded(play, EventKind::MfaChallenged), queued(play, "send_enrolment_code")), (asked, asked));
    });
}

#[test]
fn confirming_the_mailbox() {
    let prepare = || {
        let (play, pair) = unprotected();
        let challenge = play.begins_enrolment();
        let code = SecretString::new(play.mailed_code());
        (play, TokenPair { access: SecretString::new(challenge.token.expose()), refresh: code, ..pair })
    };
    let story = |play: &Play, code: &TokenPair| play.confirms(code.access.expose(), code.refresh.expose()).is_ok();
    at_every_step(prepare, story, |play, code, acknowledged| {
        let has = |purpose| play.world.tokens.all().iter().any(|token| token.holder.purpose == purpose);
        let offered = has(Purpose::Enrolment);
        assert!(offered || !acknowledged);
        assert_eq!(has(Purpose::EnrolmentCode), !offered, "the code is used up exactly if there is an offer");
        assert_eq!(story(play, code), !offered);
    });
}

#[test]
fn enrolling_with_a_passkey() {
    let prepare = || {
        let (play, pair) = unprotected();
        let offer = play.offer();
        (play, TokenPair { refresh: SecretString::new(offer.token.expose()), ..pair })
    };
    let story = |play: &Play, offer: &TokenPair| {
        let token = OpaqueToken::parse(offer.refresh.expose()).unwrap();
        let (response, name) = (new_passkey(&token, "one", true), PasskeyName::parse("Phone").unwrap());
        let factor = FirstFactor::Passkey { response: &response, name };
        block_on(play.service.logins().enrol(&play.realm, offer.refresh.expose(), factor, &play.client)).is_ok()
    };
    at_every_step(prepare, story, |play, offer, acknowledged| {
        let user = play.world.users.all()[0].clone();
        let on = user.factors.passkeys.is_some();
        assert!(on || !acknowledged);
        assert_eq!(user.factors.backup_codes.is_some(), on);
        assert_eq!((recorded(play, EventKind::PasskeyAdded), queued(play, "mfa_changed")), (on, on));
        assert!(on || story(play, offer), "the offer is good still");
    });
}

#[test]
fn enrolling() {
    let prepare = || {
        let (play, pair) = unprotected();
        let offer = play.offer();
        play.world.mailer.take();
        (play, TokenPair { access: offer.secret.clone(), refresh: SecretString::new(offer.token.expose()), ..pair })
    };
    let story = |play: &Play, offer: &TokenPair| {
        let secret = TotpSecret::parse(offer.access.expose()).unwrap();
        let code = secret.code_of(step_at(play.world.clock.now())).unwrap();
        let factor = FirstFactor::Totp(code.expose());
        block_on(play.service.logins().enrol(&play.realm, offer.refresh.expose(), factor, &play.client)).is_ok()
    };
    at_every_step(prepare, story, |play, offer, acknowledged| {
        let on = play.world.users.all()[0].factors.totp.is_some();
        assert!(on || !acknowledged);
        assert_eq!(recorded(play, EventKind::MfaEnabled), on);
        assert_eq!(play.world.jobs.waiting().iter().any(|job| job.task.kind() == "mfa_changed"), on);
        assert_eq!(play.world.undos.all().len(), usize::from(on));
        assert!(on || story(play, offer), "the offer is good still");
    });
}

#[test]
fn the_last_factor_of_an_account_that_must_have_one_stays() {
    let (play, _) = unprotected();
    let pair = play.first_app();
    let factors = play.service.factors();
    let caller = || play.caller(&pair).unwrap();
    let remove_app = || block_on(factors.remove_totp(&caller(), Reauthentication::None));
    assert!(matches!(remove_app(), Err(AuthError::LastFactor)));
    let added = play.adds_passkey(&pair, "one").unwrap();
    let remove_passkey = || block_on(factors.remove_passkey(&caller(), added.passkey.id, Reauthentication::None));
    assert!(remove_app().is_ok());
    assert!(matches!(remove_passkey(), Err(AuthError::LastFactor)));
    assert!(play.caller(&pair).unwrap().user.has_second_factor());
}

#[test]
fn two_removals_at_once_leave_one_factor() {
    let (play, _) = unprotected();
    let pair = play.first_app();
    let added = play.adds_passkey(&pair, "one").unwrap();
    let caller = play.caller(&pair).unwrap();
    let (factors, none) = (play.service.factors(), Reauthentication::None);
    let remove = |nth| match nth {
        0 => block_on(factors.remove_totp(&caller, none)).is_ok(),
        _ => block_on(factors.remove_passkey(&caller, added.passkey.id, none)).is_ok(),
    };
    assert_eq!(at_once(2, remove), 1);
    assert!(play.world.users.all()[0].has_second_factor());
}

#[test]
fn the_role_admin_keeps_the_last_factor_and_an_undo_takes_the_role() {
    let app = WithApp::new();
    let pair = app.steps_up(&app.pair, &app.next_code()).unwrap();
    let play = &app.play;
    let undo = play.link("mfa_changed");
    let admin = [RoleName::parse("admin").unwrap()];
    let edit = RolesEdit::Change { add: &admin, remove: &[] };
    block_on(play.service.operators().change_roles(&play.realm, EMAIL, edit)).unwrap();
    let caller = play.caller(&pair).unwrap();
    let removed = block_on(play.service.factors().remove_totp(&caller, Reauthentication::None));
    assert!(matches!(removed, Err(AuthError::LastFactor)), "in a realm that requires none");
    let proof = UndoProof::Password(PASSWORD);
    block_on(play.service.recovery().undo(&play.realm, &undo, proof, &play.client)).unwrap();
    let user = &play.world.users.all()[0];
    assert!(!user.has_second_factor() && !user.roles.has_admin(), "the password alone must not lead to the role");
}

#[test]
fn an_operators_reset_leads_back_to_the_first_factor() {
    let (play, _) = unprotected();
    let pair = play.first_app();
    block_on(play.service.operators().reset_factors(&play.realm, EMAIL)).unwrap();
    assert!(play.caller(&pair).is_err());
    let again = play.first_app();
    assert!(play.caller(&again).is_ok());
}
