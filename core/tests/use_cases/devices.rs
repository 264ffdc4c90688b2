//! Remembered devices: they stand in for a second factor at a login, and for nothing else.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::crash_points::{at_every_step, queued, recorded};
use super::totp::WithApp;
use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::device::{DEVICE_LIFETIME, MAX_DEVICES};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::ids::DeviceId;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::role::RoleName;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::operator::roles::RolesEdit;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;

impl Play {
    /// Logs in with the token of a device; `None` where a second factor is asked for.
    fn logs_in_from(&self, token: &str) -> Option<TokenPair> {
        self.world.forget_rate_limits();
        let who = (EMAIL, PASSWORD);
        match block_on(self.service.logins().log_in_from(&self.realm, who, Some(token), &self.client)).unwrap() {
            LoggedIn::Session(pair) => Some(pair),
            LoggedIn::MfaRequired(_) => None,
            LoggedIn::EnrolmentRequired(_) => panic!("a factor is on"),
        }
    }
}

impl WithApp {
    /// Logs in with a code and has the device remembered.
    fn remembers(&self) -> (TokenPair, String) {
        let challenge = self.play.factor_challenge().token.expose();
        let (code, logins) = (self.next_code(), self.play.service.logins());
        let answer = (challenge.as_str(), None, code.as_str());
        let (pair, token) = block_on(logins.log_in_and_remember(&self.play.realm, answer, &self.play.client)).unwrap();
        (pair, token.unwrap().expose())
    }
}

#[test]
fn ending_another_session_and_forgetting_its_device_is_one_commit() {
    let other = RefCell::new((String::new(), String::new()));
    let prepare = || {
        let app = WithApp::new();
        let (first, device) = app.remembers();
        let session = app.play.caller(&first).unwrap().session.id.to_string();
        *other.borrow_mut() = (session, device);
        let (owner, _) = app.remembers();
        app.play.deliver();
        (app.play, owner)
    };
    let story = |play: &Play, owner: &TokenPair| {
        let Ok(caller) = play.caller(owner) else { return false };
        block_on(play.service.sessions().end_session(&caller, &other.borrow().0)).is_ok()
    };
    at_every_step(prepare, story, |play, owner, acknowledged| {
        let left = block_on(play.service.sessions().list_sessions(&play.caller(owner).unwrap())).unwrap();
        let ended = left.iter().all(|session| session.id.to_string() != other.borrow().0);
        assert!(ended || !acknowledged);
        assert_eq!(recorded(play, EventKind::DeviceForgotten), ended);
        assert_eq!(queued(play, "session_ended"), ended);
        assert_eq!(play.logs_in_from(&other.borrow().1).is_none(), ended);
    });
}

#[test]
fn a_remembered_device_needs_no_second_factor_and_is_none() {
    let app = WithApp::new();
    let play = &app.play;
    let (first, token) = app.remembers();
    assert!(recorded(play, EventKind::DeviceRemembered));
    let pair = play.logs_in_from(&token).unwrap();
    let caller = play.caller(&pair).unwrap();
    assert_eq!((caller.claims.methods.amr(), caller.claims.methods.acr()), (vec!["pwd"], "aal1"));
    let removed = block_on(play.service.factors().remove_totp(&caller, Reauthentication::None));
    assert!(matches!(removed, Err(AuthError::ReauthenticationRequired)), "it confirms nothing");
    let by_password = Reauthentication::Password { password: PASSWORD, client: &play.client };
    let removed = block_on(play.service.factors().remove_totp(&caller, by_password));
    assert!(matches!(removed, Err(AuthError::ReauthenticationRequired)), "not with the password either");
    let devices = play.service.factors().list_devices(&play.caller(&first).unwrap()).unwrap();
    assert_eq!((devices.len(), devices[0].user_agent.as_str()), (1, "Browser/1.0"));
    assert!(devices[0].last_used_at.is_some());
    let wrong = block_on(play.service.logins().log_in_from(&play.realm, (EMAIL, OTHER), Some(&token), &play.client));
    assert!(matches!(wrong, Err(AuthError::InvalidCredentials)));
    for other in ["", "x", &pair.refresh.expose()[..43]] {
        assert!(play.logs_in_from(other).is_none(), "{other}");
    }
}

#[test]
fn a_device_is_forgotten_to_the_second_however_often_it_is_used() {
    let app = WithApp::new();
    let (_, token) = app.remembers();
    app.play.world.clock.advance(DEVICE_LIFETIME.checked_sub(Duration::from_millis(1)).unwrap());
    let pair = app.play.logs_in_from(&token).unwrap();
    app.play.world.clock.advance(Duration::from_millis(1));
    assert!(app.play.logs_in_from(&token).is_none());
    assert_eq!(app.play.service.factors().list_devices(&app.play.caller(&pair).unwrap()).unwrap(), []);
}

#[test]
fn a_device_is_good_for_one_account_and_realm() {
    let app = WithApp::new();
    let (_, token) = app.remembers();
    let mut play = app.play;
    let bob = play.user_at("bob@example.com");
    let _ = play.enrols(&bob);
    let logins = play.service.logins();
    let who = ("bob@example.com", PASSWORD);
    let asked = block_on(logins.log_in_from(&play.realm, who, Some(&token), &play.client)).unwrap();
    assert!(matches!(asked, LoggedIn::MfaRequired(_)), "another account");
    play.realm = samples::realm("User2");
    let ada = play.user();
    let _ = play.enrols(&ada);
    assert!(play.logs_in_from(&token).is_none(), "another realm");
}

#[test]
fn a_device_ends_with_every_change_of_the_credentials() {
    type Change = fn(&WithApp, &TokenPair);
    let changes: [(&str, Change); 6] = [
        ("password", |app, pair| {
            let (play, caller) = (&app.play, app.play.caller(pair).unwrap());
            block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
            let pair = match block_on(play.service.logins().log_in(&play.realm, EMAIL, OTHER, &play.client)).unwrap() {
                LoggedIn::MfaRequired(challenge) => play.answers(&challenge, None, &app.next_code()).unwrap(),
                _ => panic!("a factor is on"),
            };
            let caller = play.caller(&pair).unwrap();
            block_on(play.service.passwords().change_password(&caller, OTHER, PASSWORD, &play.client)).unwrap();
        }),
        ("reset", |app, _| {
            let play = &app.play;
            block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
            play.deliver();
            let link = play.link("mail_password_reset");
            block_on(play.service.passwords().reset_password(&play.realm, &link, PASSWORD, &play.client)).unwrap();
        }),
        ("disable", |app, _| {
            block_on(app.play.service.operators().disable(&app.play.realm, EMAIL)).unwrap();
            block_on(app.play.service.operators().enable(&app.play.realm, EMAIL)).unwrap();
        }),
        ("factor", |app, pair| {
            app.play.proves_phone(pair, PHONE);
            app.play.switches_mfa(pair, true);
        }),
        ("everywhere", |app, pair| {
            block_on(app.play.service.sessions().log_out_everywhere(&app.play.caller(pair).unwrap())).unwrap();
        }),
        ("operator", |app, _| {
            block_on(app.play.service.operators().reset_factors(&app.play.realm, EMAIL)).unwrap();
            let pair = app.play.log_in(EMAIL, PASSWORD).unwrap();
            let _ = app.play.enrols(&pair);
        }),
    ];
    for (name, change) in changes {
        let app = WithApp::new();
        let (pair, token) = app.remembers();
        assert!(app.play.logs_in_from(&token).is_some(), "{name}");
        change(&app, &pair);
        assert!(app.play.world.users.all()[0].factors.devices.is_none(), "{name}");
        assert!(app.play.logs_in_from(&token).is_none(), "{name}");
    }
}

#[test]
fn devices_are_forgotten_by_their_owner_and_the_oldest_give_way() {
    let app = WithApp::new();
    let play = &app.play;
    let (mut pair, token) = app.remembers();
    let list = |pair: &TokenPair| play.service.factors().list_devices(&play.caller(pair).unwrap()).unwrap();
    let id = list(&pair)[0].id;
    let forget = |pair: &TokenPair, id| block_on(play.service.factors().forget_device(&play.caller(pair).unwrap(), id));
    assert!(matches!(forget(&pair, DeviceId::from_bytes([1; 16])), Err(AuthError::NotFound)));
    let inside = play.logs_in_from(&token).unwrap();
    forget(&pair, id).unwrap();
    assert!(play.logs_in_from(&token).is_none() && play.caller(&inside).is_ok(), "its sessions stay");
    assert!(matches!(forget(&pair, id), Err(AuthError::NotFound)));
    assert!(recorded(play, EventKind::DeviceForgotten));
    let mut tokens = Vec::new();
    for _ in 0..=MAX_DEVICES {
        let token;
        (pair, token) = app.remembers();
        tokens.push(token);
    }
    assert_eq!(list(&pair).len(), MAX_DEVICES);
    assert!(play.logs_in_from(&tokens[0]).is_none() && play.logs_in_from(&tokens[1]).is_some());
}

#[test]
fn an_sms_can_remember_a_device_too() {
    let play = Play::new();
    let pair = play.user();
    play.proves_phone(&pair, PHONE);
    play.switches_mfa(&pair, true);
    let challenge = play.factor_challenge().token.expose();
    play.deliver();
    let code = play.world.sms_sender.last().unwrap().message.content.code;
    let answer = (challenge.as_str(), None, code.expose());
    let opened = block_on(play.service.logins().log_in_and_remember(&play.realm, answer, &play.client)).unwrap();
    assert!(play.logs_in_from(&opened.1.unwrap().expose()).is_some());
}

#[test]
fn remembering_a_device() {
    let prepare = || {
        let app = WithApp::new();
        let challenge = app.play.factor_challenge().token.expose();
        let code = app.next_code();
        let pair = TokenPair { access: SecretString::new(challenge), refresh: SecretString::new(code), ..app.pair };
        (app.play, pair)
    };
    let story = |play: &Play, shown: &TokenPair| {
        let answer = (shown.access.expose(), None, shown.refresh.expose());
        block_on(play.service.logins().log_in_and_remember(&play.realm, answer, &play.client)).is_ok()
    };
    at_every_step(prepare, story, |play, shown, acknowledged| {
        let remembered = play.world.users.all()[0].factors.devices.is_some();
        assert!(remembered || !acknowledged);
        assert_eq!(recorded(play, EventKind::DeviceRemembered), remembered);
        assert!(remembered || story(play, shown), "the code is good still");
    });
}

#[test]
fn logging_in_from_a_device() {
    let prepare = || {
        let app = WithApp::new();
        let (pair, token) = app.remembers();
        (app.play, TokenPair { refresh: SecretString::new(token), ..pair })
    };
    let story = |play: &Play, device: &TokenPair| {
        let login = ((EMAIL, PASSWORD), Some(device.refresh.expose()));
        let opened = block_on(play.service.logins().log_in_from(&play.realm, login.0, login.1, &play.client));
        matches!(opened, Ok(LoggedIn::Session(_)))
    };
    let sessions = Cell::new(0);
    let counted = || {
        let (play, device) = prepare();
        sessions.set(play.world.sessions.all().len());
        (play, device)
    };
    at_every_step(counted, story, |play, device, acknowledged| {
        let opened = play.world.sessions.all().len() > sessions.get();
        assert!(opened || !acknowledged);
        let devices = play.service.factors().list_devices(&play.caller(device).unwrap()).unwrap();
        assert_eq!(devices[0].last_used_at.is_some(), opened, "used exactly if a session was opened");
        let newest = play.world.sessions.all().iter().any(|session| session.id == devices[0].session);
        assert!(newest, "its session exists");
        assert!(story(play, device), "it is good still");
    });
}

#[test]
fn forgetting_a_device() {
    let prepare = || {
        let app = WithApp::new();
        let (pair, token) = app.remembers();
        (app.play, TokenPair { refresh: SecretString::new(token), ..pair })
    };
    let story = |play: &Play, device: &TokenPair| {
        let Ok(caller) = play.caller(device) else { return false };
        let Ok(devices) = play.service.factors().list_devices(&caller) else { return false };
        block_on(play.service.factors().forget_device(&caller, devices[0].id)).is_ok()
    };
    at_every_step(prepare, story, |play, device, acknowledged| {
        let forgotten = play.logs_in_from(device.refresh.expose()).is_none();
        assert!(forgotten || !acknowledged);
        assert_eq!(recorded(play, EventKind::DeviceForgotten), forgotten);
    });
}

#[test]
fn an_account_with_the_role_admin_has_no_remembered_device() {
    let app = WithApp::new();
    let (_, token) = app.remembers();
    let note = OperatorNote { operator: "command line".to_owned(), reason: None };
    let admin = [RoleName::parse("admin").unwrap()];
    let operators = app.play.service.operators_as(&note);
    let give = RolesEdit::Change { add: &admin, remove: &[] };
    block_on(operators.change_roles(&app.play.realm, EMAIL, give)).unwrap();
    assert!(app.play.logs_in_from(&token).is_none());
    let challenge = app.play.factor_challenge().token.expose();
    let code = app.next_code();
    let answer = (challenge.as_str(), None, code.as_str());
    let (_, another) =
        block_on(app.play.service.logins().log_in_and_remember(&app.play.realm, answer, &app.play.client)).unwrap();
    assert!(another.is_none(), "none is remembered");
    let take = RolesEdit::Change { add: &[], remove: &admin };
    block_on(operators.change_roles(&app.play.realm, EMAIL, take)).unwrap();
    assert!(app.play.logs_in_from(&token).is_none(), "it was forgotten");
}
