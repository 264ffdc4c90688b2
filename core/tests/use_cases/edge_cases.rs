//! Edge cases: states between two steps, the last moment before an expiry, another person's proof.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::message::Channel;
use portcullis_core::model::user::{PendingEmail, User};
use portcullis_core::ports::database::UnitOfWork;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::commit::VersionCheck;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples::{digest, sealed};

const NEW: &str = "new@example.org";

impl Play {
    /// Changes the stored account, as a use case that was stopped right after its first step would have.
    fn stored(&self, change: impl Fn(&mut User) + Send + Sync) {
        let user = self.world.users.all()[0].clone();
        let change = |user: &mut User| {
            change(user);
            Ok(())
        };
        let work = |_: &User| UnitOfWork::default();
        block_on(self.service.update_account(user, VersionCheck::Ignore, change, work)).unwrap();
    }

    /// Asks for a new address; its link.
    fn asked_to_move(&self, pair: &TokenPair) -> String {
        let to = ProfileChanges { email: Some(NEW), ..Default::default() };
        block_on(self.service.accounts().update_profile(
            &self.caller(pair).unwrap(),
            to,
            None,
            Vec::new(),
            Reauthentication::None,
        ))
        .unwrap();
        self.deliver();
        self.link("email_change_confirm")
    }

    /// A challenge for the number of an account, and the code that was sent.
    fn otp(&self, pair: &TokenPair) -> (String, String) {
        let asked = block_on(self.service.factors().send_otp(&self.realm, &pair.user.to_string(), PHONE, Channel::Sms))
            .unwrap();
        self.deliver();
        (asked.expose(), self.world.sms_sender.last().unwrap().message.content.code.expose().to_owned())
    }
}

#[test]
fn a_session_that_lay_unused_is_not_shown_beside_the_one_in_use() {
    let play = Play::new();
    let idle = play.user();
    play.world.clock.advance(Duration::from_secs(1));
    let used = play.log_in(EMAIL, PASSWORD).unwrap();
    play.world.clock.advance(Duration::from_secs(29 * 86_400));
    let used = block_on(play.service.sessions().refresh(&play.realm, used.refresh.expose())).unwrap();
    let shown = |pair: &TokenPair| {
        let listed = block_on(play.service.sessions().list_sessions(&play.caller(pair).unwrap())).unwrap();
        listed.iter().map(|shown| (shown.id, shown.current)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&used), [(idle.session, false), (used.session, true)]);
    play.world.clock.advance(Duration::from_secs(86_400));
    let used = block_on(play.service.sessions().refresh(&play.realm, used.refresh.expose())).unwrap();
    assert_eq!(shown(&used), [(used.session, true)]);
}

#[test]
fn the_link_of_a_new_address_is_for_that_address_and_for_an_account_that_is_enabled() {
    let other = || Some(PendingEmail { index: digest("pending", 1).into(), email: sealed("pending", 1) });
    let gone: [fn(&mut User); 2] = [|user| user.pending_email = None, |user| user.disabled = true];
    for change in gone {
        let play = Play::new();
        let link = play.asked_to_move(&play.user());
        play.stored(change);
        assert!(matches!(play.verify(&link), Err(AuthError::InvalidToken)));
        assert!(matches!(
            block_on(play.service.registrations().reject_link(&play.realm, &link)),
            Err(AuthError::InvalidToken)
        ));
    }
    let play = Play::new();
    let link = play.asked_to_move(&play.user());
    play.stored(|user| user.pending_email = other());
    assert!(matches!(play.verify(&link), Err(AuthError::InvalidToken)));
    assert_eq!(play.world.users.all()[0].pending_email, other());
}

#[test]
fn an_address_that_was_changed_or_refused_waits_no_more() {
    let play = Play::new();
    let pair = play.user();
    let link = play.asked_to_move(&pair);
    block_on(play.service.registrations().reject_link(&play.realm, &link)).unwrap();
    assert!(play.world.users.all()[0].pending_email.is_none());
    play.world.clock.advance(Duration::from_secs(61));
    let link = play.asked_to_move(&pair);
    let before = play.world.users.all()[0].version;
    play.verify(&link).unwrap();
    let after = play.world.users.all()[0].clone();
    assert_eq!((after.version, after.pending_email), (before + 1, None));
}

#[test]
fn a_code_proves_the_number_it_went_to_and_no_other() {
    let play = Play::new();
    let pair = play.user();
    let (challenge, code) = play.otp(&pair);
    let other = ProfileChanges { phone: Some("+1987654321"), ..Default::default() };
    block_on(play.service.accounts().update_profile(
        &play.caller(&pair).unwrap(),
        other,
        None,
        Vec::new(),
        Reauthentication::None,
    ))
    .unwrap();
    let answered = block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code));
    assert!(matches!(answered, Err(AuthError::InvalidToken)) && !play.world.users.all()[0].phone_verified);

    let play = Play::new();
    let (challenge, code) = play.otp(&play.user());
    play.stored(|user| user.disabled = true);
    let answered = block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code));
    assert!(matches!(answered, Err(AuthError::InvalidToken)) && !play.world.users.all()[0].phone_verified);
}

#[test]
fn a_deletion_removes_tokens_counts_and_jobs() {
    let play = Play::new();
    let pair = play.user();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    let _ = play.asked_to_move(&pair);
    let _ = play.otp(&pair);
    assert!(play.log_in(EMAIL, "wrong").is_err());
    let email = play.service.throttle_key(&play.realm, EMAIL);
    assert!(play.world.tokens.all().len() >= 3 && play.world.guard.remembers(&play.realm, &email));
    // asked for, and not worked on yet
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    let _ =
        block_on(play.service.factors().send_otp(&play.realm, &pair.user.to_string(), PHONE, Channel::Sms)).unwrap();
    play.register(EMAIL).unwrap();
    block_on(play.service.accounts().delete_account(&play.caller(&pair).unwrap(), Reauthentication::None)).unwrap();
    assert!(play.world.tokens.all().is_empty() && play.world.registrations.all().is_empty());
    let waiting: Vec<_> = play.world.jobs.waiting().iter().map(|job| job.task.kind()).collect();
    assert_eq!(waiting, ["account_deleted"], "the notice, whose address is sealed under a key of its own");
    assert!(!play.world.guard.remembers(&play.realm, &email));
    assert!(play.world.mailer.sent_to(EMAIL).is_empty(), "what the mailbox had of them");
}

#[test]
fn a_login_is_fresh_for_a_quarter_of_an_hour_and_no_longer() {
    for (seconds, fresh) in [(900, true), (901, false)] {
        let play = Play::new();
        let pair = play.user();
        play.world.clock.advance(Duration::from_secs(seconds));
        let deleted =
            block_on(play.service.accounts().delete_account(&play.caller(&pair).unwrap(), Reauthentication::None));
        assert_eq!(deleted.is_ok(), fresh, "{seconds}");
        assert!(fresh || matches!(deleted, Err(AuthError::ReauthenticationRequired)));
    }
}

/// A login's code is for what the password was right for: an account that is enabled, with the factor on, of that
/// credentials version. Each by itself refuses it.
#[test]
fn a_code_does_not_outlive_what_its_password_was_shown_for() {
    let changes: [fn(&mut User); 4] =
        [|_| (), |user| user.disabled = true, |user| user.mfa_sms = false, |user| user.credentials_version += 1];
    for (place, change) in changes.into_iter().enumerate() {
        let play = Play::new();
        let pair = play.user();
        let (challenge, code) = play.otp(&pair);
        block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).unwrap();
        let caller = play.caller(&pair).unwrap();
        block_on(play.service.factors().set_mfa_sms(&caller, true, Reauthentication::None)).unwrap();
        let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client)).unwrap();
        let LoggedIn::MfaRequired(challenge) = asked else { panic!("a second factor was expected") };
        play.deliver();
        let code = play.world.sms_sender.last().unwrap().message.content.code.expose().to_owned();
        play.stored(change);
        let challenge = challenge.token.expose();
        let answered =
            block_on(play.service.logins().log_in_second_factor(&play.realm, &challenge, None, &code, &play.client));
        assert_eq!(answered.is_ok(), place == 0, "{place}");
        assert!(place == 0 || matches!(answered, Err(AuthError::InvalidToken)));
    }
}

/// A request for another number, or a disabled account, gets a challenge of no account: the owner's stays valid.
#[test]
fn asking_for_another_users_code_does_not_use_up_their_quota() {
    let play = Play::new();
    let pair = play.user();
    let (challenge, code) = play.otp(&pair);
    let ask =
        |phone| block_on(play.service.factors().send_otp(&play.realm, &pair.user.to_string(), phone, Channel::Sms));
    let of_owner = || play.world.tokens.all().iter().filter(|token| token.holder.subject == pair.user).count();
    let _ = ask("+1987654321").unwrap();
    assert_eq!(play.world.tokens.all().len(), 2);
    block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).unwrap();
    play.stored(|user| user.disabled = true);
    let before = of_owner();
    let _ = ask(PHONE).unwrap();
    assert_eq!(of_owner(), before);
    let texts = play.world.sms_sender.sent().len();
    play.deliver();
    assert_eq!(play.world.sms_sender.sent().len(), texts);
}

/// A caller whose copy of the account is old goes on with the newest one, unless they have been put out since.
#[test]
fn a_caller_that_is_out_of_date_goes_on_and_one_that_was_put_out_does_not() {
    let changes: [fn(&mut User); 2] = [|user| user.phone_verified = true, |user| user.credentials_version += 1];
    for (change, goes_on) in changes.into_iter().zip([true, false]) {
        let play = Play::new();
        let old = play.caller(&play.user()).unwrap().user;
        play.stored(change);
        let changed = {
            let change = |user: &mut User| {
                user.mfa_sms = true;
                Ok(())
            };
            let work = |_: &User| UnitOfWork::default();
            block_on(play.service.update_account(old, VersionCheck::MustMatch, change, work))
        };
        assert_eq!(changed.is_ok(), goes_on);
        assert_eq!(play.world.users.all()[0].mfa_sms, goes_on);
        assert!(goes_on || matches!(changed, Err(AuthError::NotAuthenticated)));
        assert!(!goes_on || changed.is_ok_and(|updated| updated.user.phone_verified), "what another one changed stays");
    }
}

#[test]
fn a_changed_password_ends_every_session_and_opens_a_new_one() {
    let play = Play::new();
    let (pair, other) = (play.user(), play.log_in(EMAIL, PASSWORD).unwrap());
    let caller = play.caller(&pair).unwrap();
    let new = block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
    assert!(play.caller(&pair).is_err() && play.caller(&other).is_err() && play.caller(&new).is_ok());
    assert!(block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).is_err());
    assert!(block_on(play.service.sessions().refresh(&play.realm, new.refresh.expose())).is_ok());
    assert_eq!(play.world.sessions.all().len(), 1);
}

#[test]
fn a_new_address_of_another_account_gets_a_notice_and_no_link() {
    let play = Play::new();
    let pair = play.user();
    play.register("bob@example.com").unwrap();
    play.deliver();
    play.verify(&play.link("mail_email_verify")).unwrap();
    let to = ProfileChanges { email: Some("bob@example.com"), ..Default::default() };
    block_on(play.service.accounts().update_profile(
        &play.caller(&pair).unwrap(),
        to,
        None,
        Vec::new(),
        Reauthentication::None,
    ))
    .unwrap();
    play.deliver();
    let told = play.world.mailer.templates();
    assert!(told.contains(&"already_registered") && !told.contains(&"email_change_confirm"), "{told:?}");
}

#[test]
fn a_text_says_what_its_code_is_for() {
    let play = Play::new();
    let pair = play.user();
    let (challenge, code) = play.otp(&pair);
    assert!(!play.world.sms_sender.last().unwrap().message.content.for_login);
    block_on(play.service.factors().verify_otp(&play.realm, &challenge, &code)).unwrap();
    block_on(play.service.factors().set_mfa_sms(&play.caller(&pair).unwrap(), true, Reauthentication::None)).unwrap();
    let _ = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client)).unwrap();
    play.deliver();
    assert!(play.world.sms_sender.last().unwrap().message.content.for_login);
}
