//! Crash points: every port call of every use case fails once, before and after it did its work. The notice and the audit
//! event exist exactly if the change exists, a link or code is used up exactly if its effect exists, and the user can
//! try again.

use std::time::Duration;

use super::totp::WithApp;
use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::message::Channel;
use portcullis_core::model::one_time_token::Purpose;
use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::recovery::undo::UndoProof;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::faults::When;
use portcullis_testkit::race::block_on;

/// Runs a use case repeatedly, each time with another step failing, until no step is left to fail.
pub(super) fn at_every_step(
    prepare: impl Fn() -> (Play, TokenPair),
    story: impl Fn(&Play, &TokenPair) -> bool,
    after: impl Fn(&Play, &TokenPair, bool),
) {
    for when in [When::Before, When::After] {
        let mut step = 1;
        loop {
            let (play, pair) = prepare();
            play.world.faults.clear();
            play.world.faults.fail_step(step, when);
            let acknowledged = story(&play, &pair);
            let tripped = play.world.faults.tripped() > 0;
            play.world.faults.clear();
            after(&play, &pair, acknowledged);
            if !tripped {
                assert!(acknowledged, "without a failure it succeeds");
                break;
            }
            step += 1;
            assert!(step < 60, "a story is shorter");
        }
    }
}

/// Whether the account's newest change has an undo record, and how many records there are.
fn undo_records(play: &Play) -> usize {
    play.world.undos.all().len()
}

/// Whether the audit log has an event of that kind.
pub(super) fn recorded(play: &Play, kind: EventKind) -> bool {
    play.world.audit.kinds().contains(&kind)
}

/// Whether a job of that kind is waiting.
pub(super) fn queued(play: &Play, kind: &str) -> bool {
    play.world.jobs.waiting().iter().any(|job| job.task.kind() == kind)
}

/// Whether a one-time token of that purpose is unused.
fn unused(play: &Play, purpose: Purpose) -> bool {
    play.world.tokens.all().iter().any(|token| token.holder.purpose == purpose)
}

pub(super) fn user() -> (Play, TokenPair) {
    let play = Play::new();
    let pair = play.user();
    (play, pair)
}

#[test]
fn verifying() {
    let prepare = || {
        let (play, pair) = user();
        play.register("bob@example.com").unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| play.verify(&play.link("mail_email_verify")).is_ok();
    at_every_step(prepare, story, |play, _, acknowledged| {
        let changed = play.world.users.all().len() == 2;
        assert_eq!(
            play.world.audit.kinds().iter().filter(|kind| **kind == EventKind::EmailVerified).count(),
            1 + usize::from(changed)
        );
        assert_eq!(queued(play, "welcome"), changed);
        assert_eq!(unused(play, Purpose::VerifyEmail), !changed);
        let works = play.log_in("bob@example.com", PASSWORD).is_ok();
        assert!(works || !acknowledged, "what was acknowledged stays");
        if !works {
            // the link is good still, or a new one can be had
            if play.verify(&play.link("mail_email_verify")).is_err() {
                play.world.clock.advance(Duration::from_secs(61));
                block_on(play.service.registrations().resend_verification(
                    &play.realm,
                    "bob@example.com",
                    &play.client,
                ))
                .unwrap();
                play.deliver();
                play.verify(&play.link("mail_email_verify")).unwrap();
            }
            play.log_in("bob@example.com", PASSWORD).unwrap();
        }
    });
}

#[test]
fn resetting_a_password() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.passwords().reset_password(
            &play.realm,
            &play.link("mail_password_reset"),
            OTHER,
            &play.client,
        ))
        .is_ok()
    };
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in(EMAIL, OTHER).is_ok());
        assert!(old != new, "one password works, never both and never none");
        assert_eq!((recorded(play, EventKind::PasswordReset), queued(play, "password_changed")), (new, new));
        assert_eq!(undo_records(play), usize::from(new));
        assert_eq!(unused(play, Purpose::ResetPassword), !new, "the link is used up exactly if the password is new");
        let link = play.link("mail_password_reset");
        if !new {
            block_on(play.service.passwords().preview_reset(&play.realm, &link)).unwrap();
        }
        assert!(new || !acknowledged);
        // with the new password no token of the old one works, whatever was cut short
        assert_eq!(play.caller(pair).is_err(), new);
        assert_eq!(block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).is_err(), new);
    });
}

#[test]
fn changing_a_password() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in(EMAIL, OTHER).is_ok());
        assert!(old != new);
        assert!(new || !acknowledged);
        assert_eq!((recorded(play, EventKind::PasswordChanged), queued(play, "password_changed")), (new, new));
        assert_eq!(undo_records(play), usize::from(new));
        assert_eq!(play.caller(pair).is_err(), new, "every session of the old password ends");
    });
}

#[test]
fn refreshing() {
    let story = |play: &Play, pair: &TokenPair| {
        block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).is_ok()
    };
    at_every_step(user, story, |play, pair, _| {
        // a lost reply does not log the user out
        let again = block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).unwrap();
        assert!(block_on(play.service.sessions().refresh(&play.realm, again.refresh.expose())).is_ok());
    });
}

#[test]
fn logging_out_everywhere() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.sessions().log_out_everywhere(&caller)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let ended = play.caller(pair).is_err();
        assert!(ended || !acknowledged);
        assert_eq!(recorded(play, EventKind::LoggedOutEverywhere), ended);
        play.log_in(EMAIL, PASSWORD).unwrap();
    });
}

#[test]
fn logging_out() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.sessions().log_out(&caller)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let ended = play.caller(pair).is_err();
        assert!(ended || !acknowledged);
        assert_eq!(recorded(play, EventKind::LoggedOut), ended);
    });
}

#[test]
fn a_stolen_refresh_token() {
    let prepare = || {
        let (play, stolen) = user();
        let second = block_on(play.service.sessions().refresh(&play.realm, stolen.refresh.expose())).unwrap();
        block_on(play.service.sessions().refresh(&play.realm, second.refresh.expose())).unwrap();
        (play, stolen)
    };
    let story = |play: &Play, stolen: &TokenPair| {
        matches!(
            block_on(play.service.sessions().refresh(&play.realm, stolen.refresh.expose())),
            Err(AuthError::InvalidGrant)
        )
    };
    at_every_step(prepare, story, |play, stolen, acknowledged| {
        let ended = play.caller(stolen).is_err();
        assert!(ended || !acknowledged);
        assert_eq!(recorded(play, EventKind::RefreshTokenStolen), ended);
    });
}

/// Someone whose phone is proven, and the code that is on its way to it.
fn with_proven_phone() -> (Play, TokenPair) {
    let (play, pair) = user();
    let (challenge, code) = asked_for_code(&play, &pair);
    block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).unwrap();
    (play, pair)
}

fn asked_for_code(play: &Play, pair: &TokenPair) -> (String, String) {
    let asked =
        block_on(play.service.factors().send_otp(&play.realm, &pair.user.to_string(), PHONE, Channel::Sms)).unwrap();
    play.deliver();
    (asked.expose(), play.world.sms_sender.last().unwrap().message.content.code.expose().to_owned())
}

#[test]
fn proving_a_phone() {
    let prepare = || {
        let (play, pair) = user();
        let asked = asked_for_code(&play, &pair);
        ((play, asked), pair)
    };
    for when in [When::Before, When::After] {
        for step in 1..60 {
            let ((play, (challenge, code)), _) = prepare();
            play.world.faults.clear();
            play.world.faults.fail_step(step, when);
            let acknowledged = block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).is_ok();
            let tripped = play.world.faults.tripped() > 0;
            play.world.faults.clear();
            let proven = play.world.users.all()[0].phone_verified;
            assert!(proven || !acknowledged);
            assert_eq!(recorded(&play, EventKind::PhoneVerified), proven);
            assert_eq!(
                unused(&play, Purpose::VerifyPhone),
                !proven,
                "the code is used up exactly if the phone is proven"
            );
            if !proven {
                block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).unwrap();
            }
            if !tripped {
                break;
            }
        }
    }
}

#[test]
fn switching_the_second_factor() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.factors().set_mfa_sms(&caller, true, Reauthentication::None)).is_ok()
    };
    at_every_step(with_proven_phone, story, |play, _, acknowledged| {
        let on = play.world.users.all()[0].mfa_sms;
        assert!(on || !acknowledged);
        assert_eq!((recorded(play, EventKind::MfaEnabled), queued(play, "mfa_changed")), (on, on));
        assert_eq!(undo_records(play), usize::from(on));
    });
}

#[test]
fn adding_an_authenticator_app() {
    let prepare = || {
        let (play, pair) = user();
        let caller = play.caller(&pair).unwrap();
        let begun = block_on(play.service.factors().begin_totp(&caller, Reauthentication::None)).unwrap();
        let secret = TotpSecret::parse(begun.secret.expose()).unwrap();
        let code = secret.code_of(step_at(play.world.clock.now())).unwrap();
        ((play, code), pair)
    };
    for when in [When::Before, When::After] {
        for step in 1..60 {
            let ((play, code), pair) = prepare();
            play.world.faults.clear();
            play.world.faults.fail_step(step, when);
            let caller = play.caller(&pair);
            let confirmed = caller.map(|caller| block_on(play.service.factors().confirm_totp(&caller, code.expose())));
            let acknowledged = confirmed.is_ok_and(|confirmed| confirmed.is_ok());
            let tripped = play.world.faults.tripped() > 0;
            play.world.faults.clear();
            let user = play.world.users.all()[0].clone();
            let on = user.factors.totp.is_some();
            assert!(on || !acknowledged);
            assert_eq!((user.factors.backup_codes.is_some(), user.factors.pending_totp.is_some()), (on, !on));
            assert_eq!((recorded(&play, EventKind::MfaEnabled), queued(&play, "mfa_changed")), (on, on));
            assert_eq!(undo_records(&play), usize::from(on));
            if !on {
                block_on(play.service.factors().confirm_totp(&play.caller(&pair).unwrap(), code.expose())).unwrap();
            }
            if !tripped {
                break;
            }
        }
    }
}

/// A login with a code of an app or a backup code: the code is used up exactly if its session exists.
fn logging_in_with(code_of: impl Fn(&WithApp) -> String, uses_backup_code: bool) {
    for when in [When::Before, When::After] {
        for step in 1..60 {
            let app = WithApp::new();
            let code = code_of(&app);
            let challenge = app.play.factor_challenge();
            let sessions = app.play.world.sessions.all().len();
            let answer = || app.play.answers(&challenge, None, &code).is_ok();
            app.play.world.faults.clear();
            app.play.world.faults.fail_step(step, when);
            let acknowledged = answer();
            let tripped = app.play.world.faults.tripped() > 0;
            app.play.world.faults.clear();
            let opened = app.play.world.sessions.all().len() > sessions;
            assert!(opened || !acknowledged);
            assert_eq!(unused(&app.play, Purpose::LoginMfa), !opened);
            assert_eq!(recorded(&app.play, EventKind::BackupCodeUsed), opened && uses_backup_code);
            assert_eq!(queued(&app.play, "backup_code_used"), opened && uses_backup_code);
            assert_eq!(answer(), !opened, "the code is good exactly if it opened nothing");
            if !tripped {
                break;
            }
        }
    }
}

#[test]
fn logging_in_with_an_authenticator_app() {
    logging_in_with(WithApp::next_code, false);
}

#[test]
fn logging_in_with_a_backup_code() {
    logging_in_with(|app| app.codes[0].expose().to_owned(), true);
}

#[test]
fn removing_an_authenticator_app() {
    let prepare = || {
        let app = WithApp::new();
        let shown = app.steps_up(&app.pair, &app.next_code()).unwrap();
        (app.play, shown)
    };
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.factors().remove_totp(&caller, Reauthentication::None)).is_ok()
    };
    at_every_step(prepare, story, |play, _, acknowledged| {
        let off = play.world.users.all()[0].factors.totp.is_none();
        assert!(off || !acknowledged);
        assert_eq!((recorded(play, EventKind::MfaDisabled), queued(play, "mfa_changed")), (off, off));
        assert_eq!(undo_records(play), 1 + usize::from(off));
    });
}

#[test]
fn adding_a_passkey() {
    let story = |play: &Play, pair: &TokenPair| play.adds_passkey(pair, "one").is_ok();
    at_every_step(user, story, |play, _, acknowledged| {
        let user = play.world.users.all()[0].clone();
        let on = user.factors.passkeys.is_some();
        assert!(on || !acknowledged);
        assert_eq!(user.factors.backup_codes.is_some(), on);
        assert_eq!((recorded(play, EventKind::PasskeyAdded), queued(play, "mfa_changed")), (on, on));
        assert_eq!(undo_records(play), usize::from(on));
    });
}

#[test]
fn logging_in_with_a_passkey() {
    let prepare = || {
        let (play, pair) = user();
        let _ = play.adds_passkey(&pair, "one").unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, pair: &TokenPair| play.logs_in_by_passkey("one", pair.user, 1).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let opened = play.world.sessions.all().len() > 1;
        assert!(opened || !acknowledged);
        let passkeys = play.service.factors().list_passkeys(&play.caller(pair).unwrap()).unwrap();
        assert_eq!(passkeys[0].credential.data == b"1", opened, "the counter moves exactly if a session was opened");
    });
}

#[test]
fn removing_a_passkey() {
    let prepare = || {
        let (play, pair) = user();
        let _ = play.adds_passkey(&pair, "one").unwrap();
        play.deliver();
        let session = play.logs_in_by_passkey("one", pair.user, 1).unwrap();
        (play, session)
    };
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        let factors = play.service.factors();
        let Ok(passkeys) = factors.list_passkeys(&caller) else { return false };
        block_on(factors.remove_passkey(&caller, passkeys[0].id, Reauthentication::None)).is_ok()
    };
    at_every_step(prepare, story, |play, _, acknowledged| {
        let off = play.world.users.all()[0].factors.passkeys.is_none();
        assert!(off || !acknowledged);
        assert_eq!((recorded(play, EventKind::PasskeyRemoved), queued(play, "mfa_changed")), (off, off));
        assert_eq!(undo_records(play), 1 + usize::from(off));
    });
}

#[test]
fn resetting_the_factors() {
    let prepare = || {
        let app = WithApp::new();
        (app.play, app.pair)
    };
    let story =
        |play: &Play, _: &TokenPair| block_on(play.service.operators().reset_factors(&play.realm, EMAIL)).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let off = !play.world.users.all()[0].has_second_factor();
        assert!(off || !acknowledged);
        assert_eq!((recorded(play, EventKind::FactorsReset), queued(play, "factors_reset")), (off, off));
        assert_eq!((play.caller(pair).is_err(), undo_records(play)), (off, 1 + usize::from(off)));
    });
}

#[test]
fn asking_for_another_address() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        let to = ProfileChanges { email: Some("new@example.org"), ..Default::default() };
        block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).is_ok()
    };
    at_every_step(user, story, |play, _, acknowledged| {
        let pending = play.world.users.all()[0].pending_email.is_some();
        assert!(pending || !acknowledged);
        assert_eq!(recorded(play, EventKind::EmailChangeRequested), pending);
        assert_eq!((queued(play, "confirm_email_change"), queued(play, "email_change_requested")), (pending, pending));
    });
}

#[test]
fn disabling() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| block_on(play.service.operators().disable(&play.realm, EMAIL)).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let disabled = play.log_in(EMAIL, PASSWORD).is_err();
        assert!(disabled || !acknowledged);
        assert_eq!(recorded(play, EventKind::AccountDisabled), disabled);
        // with the word all of it is dead, whatever was cut short
        assert_eq!(play.caller(pair).is_err(), disabled);
        assert_eq!(block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).is_err(), disabled);
        let link = play.link("mail_password_reset");
        assert_eq!(block_on(play.service.passwords().preview_reset(&play.realm, &link)).is_err(), disabled);
        // asked for again it is done, and nothing older comes back
        block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
        assert!(play.world.sessions.all().is_empty());
        block_on(play.service.operators().enable(&play.realm, EMAIL)).unwrap();
        assert!(play.caller(pair).is_err() && play.log_in(EMAIL, PASSWORD).is_ok());
        assert!(block_on(play.service.passwords().preview_reset(&play.realm, &link)).is_err());
    });
}

#[test]
fn enabling() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| block_on(play.service.operators().enable(&play.realm, EMAIL)).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        assert!(play.log_in(EMAIL, PASSWORD).is_ok() || !acknowledged);
        assert!(play.caller(pair).is_err());
        block_on(play.service.operators().enable(&play.realm, EMAIL)).unwrap();
        assert!(play.log_in(EMAIL, PASSWORD).is_ok());
    });
}

#[test]
fn deleting() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(
            play.service
                .accounts()
                .delete_account(&caller, Reauthentication::by_password(Some(PASSWORD), &play.client)),
        )
        .is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        assert_eq!(recorded(play, EventKind::AccountDeleted), play.world.users.all().is_empty());
        match play.caller(pair) {
            Ok(caller) => {
                assert!(!acknowledged);
                block_on(play.service.accounts().delete_account(&caller, Reauthentication::None)).unwrap();
            }
            Err(AuthError::NotAuthenticated) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(play.world.users.all().is_empty());
        assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::InvalidCredentials)));
    });
}

#[test]
fn changing_the_address() {
    let prepare = || {
        let (play, pair) = user();
        let to = ProfileChanges { email: Some("new@example.org"), ..Default::default() };
        block_on(play.service.accounts().update_profile(
            &play.caller(&pair).unwrap(),
            to,
            None,
            Vec::new(),
            Reauthentication::None,
        ))
        .unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| play.verify(&play.link("email_change_confirm")).is_ok();
    at_every_step(prepare, story, |play, _, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in("new@example.org", PASSWORD).is_ok());
        assert!(old != new, "one address, never both and never none");
        assert_eq!((recorded(play, EventKind::EmailChanged), queued(play, "email_changed")), (new, new));
        assert_eq!(undo_records(play), usize::from(new));
        assert_eq!(unused(play, Purpose::ChangeEmail), !new, "the link is used up exactly if the address is new");
        assert!(new || !acknowledged);
    });
}

fn with_a_thief() -> (Play, TokenPair) {
    let (play, pair) = user();
    play.move_to(&pair, "thief@example.net");
    let thief = play.log_in("thief@example.net", PASSWORD).unwrap();
    (play, thief)
}

#[test]
fn undoing_with_the_former_password() {
    let story = |play: &Play, _: &TokenPair| {
        let link = play.undo_link(EMAIL);
        block_on(play.service.recovery().undo(&play.realm, &link, UndoProof::Password(PASSWORD), &play.client)).is_ok()
    };
    at_every_step(with_a_thief, story, |play, thief, acknowledged| {
        let link = play.undo_link(EMAIL);
        let owner = play.log_in(EMAIL, PASSWORD).is_ok();
        assert!(owner != play.log_in("thief@example.net", PASSWORD).is_ok(), "one address, never both and never none");
        assert!(owner || !acknowledged);
        assert_eq!((recorded(play, EventKind::ChangeUndone), queued(play, "reset_after_undo")), (owner, owner));
        assert_eq!(play.caller(thief).is_err(), owner);
        let again =
            block_on(play.service.recovery().undo(&play.realm, &link, UndoProof::Password(PASSWORD), &play.client));
        assert_eq!(again.is_ok(), !owner, "the link is used up exactly if the change is undone");
        play.log_in(EMAIL, PASSWORD).unwrap();
    });
}

#[test]
fn undoing_without_a_password() {
    let story = |play: &Play, _: &TokenPair| {
        let link = play.undo_link(EMAIL);
        block_on(play.service.recovery().undo(&play.realm, &link, UndoProof::None, &play.client)).is_ok()
    };
    at_every_step(with_a_thief, story, |play, thief, acknowledged| {
        let disabled = play.log_in("thief@example.net", PASSWORD).is_err();
        assert!(disabled || !acknowledged);
        assert_eq!(recorded(play, EventKind::DisabledByUndo), disabled);
        assert_eq!(play.caller(thief).is_err(), disabled);
        let link = play.undo_link(EMAIL);
        let again = block_on(play.service.recovery().undo(&play.realm, &link, UndoProof::None, &play.client));
        assert_eq!(again.is_ok(), !disabled, "the link is used up exactly if the account is disabled");
        assert!(play.log_in("thief@example.net", PASSWORD).is_err());
    });
}

#[test]
fn telling_of_a_change() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        let changed = play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client);
        if block_on(changed).is_err() {
            return false;
        }
        while !matches!(block_on(play.service.deliveries().deliver_next()), Ok(Delivery::Idle) | Err(_)) {}
        true
    };
    at_every_step(user, story, |play, _, _| {
        if play.log_in(EMAIL, OTHER).is_err() {
            return;
        }
        // a lease or a pause ends; then the newest link is good, however often the mail was tried
        play.world.clock.advance(Duration::from_secs(180));
        play.deliver();
        let link = play.undo_link(EMAIL);
        block_on(play.service.recovery().undo(&play.realm, &link, UndoProof::Password(PASSWORD), &play.client))
            .unwrap();
        play.log_in(EMAIL, PASSWORD).unwrap();
    });
}
