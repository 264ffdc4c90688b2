//! Undo links against a thief: the owner can always take a change back, and others cannot.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::message::Channel;
use portcullis_core::model::undo::UndoableChange;
use portcullis_core::policy::Policy;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::recovery::undo::{UndoPreview, UndoProof, Undone};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::faults::{Script, When};
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

impl Play {
    /// Changes the address and follows the link of the new one.
    pub fn move_to(&self, pair: &TokenPair, email: &str) {
        let caller = self.caller(pair).expect("logged in");
        let to = ProfileChanges { email: Some(email), ..ProfileChanges::default() };
        let password = Reauthentication::None;
        block_on(self.service.accounts().update_profile(&caller, to, None, Vec::new(), password)).expect("asked for");
        self.deliver();
        self.verify(&self.link("email_change_confirm")).expect("moved");
        self.deliver();
    }

    pub fn change_phone(&self, pair: &TokenPair, phone: &str) {
        let caller = self.caller(pair).expect("logged in");
        let to = ProfileChanges { phone: Some(phone), ..ProfileChanges::default() };
        let outcome =
            block_on(self.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None));
        outcome.expect("changed");
        self.deliver();
    }

    pub fn change_password(&self, pair: &TokenPair, from: &str, to: &str) -> TokenPair {
        let caller = self.caller(pair).expect("logged in");
        let changed = block_on(self.service.passwords().change_password(&caller, from, to, &self.client));
        self.deliver();
        changed.expect("changed")
    }

    pub fn undo(&self, link: &str, password: Option<&str>) -> Result<Undone, AuthError> {
        self.undo_by(link, password.map_or(UndoProof::None, UndoProof::Password))
    }

    fn undo_by(&self, link: &str, proof: UndoProof<'_>) -> Result<Undone, AuthError> {
        let undone = block_on(self.service.recovery().undo(&self.realm, link, proof, &self.client));
        self.deliver();
        undone
    }

    /// The newest undo link that was mailed to an address.
    pub fn undo_link(&self, to: &str) -> String {
        let sent = self.world.mailer.sent_to(to);
        let link = sent.iter().rev().find_map(|sent| sent.message.undo_link().map(|undo| undo.token.expose()));
        link.unwrap_or_else(|| panic!("no undo link was mailed to {to}"))
    }

    pub fn proves_phone(&self, pair: &TokenPair, phone: &str) {
        let id = pair.user.to_string();
        let asked = block_on(self.service.factors().send_otp(&self.realm, &id, phone, Channel::Sms)).unwrap();
        self.deliver();
        let code = self.world.sms_sender.last().unwrap().message.content.code.expose().to_owned();
        block_on(self.service.factors().verify_otp(&self.realm, &asked.expose(), &code)).unwrap();
    }

    pub fn switches_mfa(&self, pair: &TokenPair, on: bool) {
        let caller = self.caller(pair).unwrap();
        block_on(self.service.factors().set_mfa_sms(&caller, on, Reauthentication::None)).unwrap();
        self.deliver();
    }

    fn disabled(&self) -> bool {
        self.world.users.all()[0].disabled
    }
}

fn refused(outcome: &Result<Undone, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::InvalidToken))
}

#[test]
fn a_thief_who_changes_the_address_twice_loses_the_account() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    let thief = play.log_in("thief@example.net", PASSWORD).unwrap();
    play.move_to(&thief, "thief2@example.net");
    let thief = play.log_in("thief2@example.net", PASSWORD).unwrap();
    let link = play.undo_link(EMAIL);
    let preview = block_on(play.service.recovery().preview_undo(&play.realm, &link)).unwrap();
    assert_eq!(preview.change, UndoableChange::Email);
    assert_eq!(play.undo(&link, Some(PASSWORD)).unwrap(), Undone::Restored);
    assert!(play.caller(&thief).is_err(), "every session ends");
    assert!(
        play.log_in("thief2@example.net", PASSWORD).is_err() && play.log_in("thief@example.net", PASSWORD).is_err()
    );
    play.log_in(EMAIL, PASSWORD).unwrap();
    assert!(refused(&play.undo(&play.undo_link("thief@example.net"), Some(PASSWORD))), "younger links are dead");
    assert!(refused(&play.undo(&link, Some(PASSWORD))), "the link is good for one use");
    assert!(play.world.audit.kinds().contains(&EventKind::ChangeUndone));
    // the reset goes to the restored address, and no undo link is mailed for the undo itself
    let last = play.world.mailer.last().unwrap();
    assert_eq!((last.message.template(), last.to.as_str()), ("mail_password_reset", EMAIL));
    block_on(play.service.passwords().reset_password(
        &play.realm,
        &play.link("mail_password_reset"),
        OTHER,
        &play.client,
    ))
    .unwrap();
    play.log_in(EMAIL, OTHER).unwrap();
}

#[test]
fn a_thief_who_changes_address_password_and_phone_loses_the_account() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    let thief = play.log_in("thief@example.net", PASSWORD).unwrap();
    let thief = play.change_password(&thief, PASSWORD, OTHER);
    play.change_phone(&thief, "+12025550199");
    play.proves_phone(&thief, "+12025550199");
    play.switches_mfa(&thief, true);
    // the notices of the later changes go to the thief, and their links take back no earlier change
    let of_thief = play.undo_link("thief@example.net");
    let link = play.undo_link(EMAIL);
    assert!(matches!(play.undo(&link, Some(OTHER)), Err(AuthError::WrongPassword)), "the thief's password is none");
    assert_eq!(play.undo(&link, Some(PASSWORD)).unwrap(), Undone::Restored);
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let profile = play.service.accounts().show_profile(&play.caller(&pair).unwrap()).unwrap();
    assert_eq!((profile.email.as_str(), profile.phone.as_str()), (EMAIL, PHONE));
    assert!(!profile.factors.sms && !profile.phone_verified, "the thief's factor is off");
    assert!(refused(&play.undo(&of_thief, Some(PASSWORD))) && refused(&play.undo(&of_thief, None)));
    assert!(!play.disabled());
}

#[test]
fn a_thief_with_the_password_cannot_revert_the_undo() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    let asked = play.log_in("thief@example.net", PASSWORD).unwrap();
    // an e-mail change of the thief is pending at the undo
    let caller = play.caller(&asked).unwrap();
    let to = ProfileChanges { email: Some("thief2@example.net"), ..ProfileChanges::default() };
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    play.deliver();
    let pending = play.link("email_change_confirm");
    play.undo(&play.undo_link(EMAIL), Some(PASSWORD)).unwrap();
    assert!(play.verify(&pending).is_err(), "the pending change is cancelled");
    let mails = play.world.mailer.sent_to("thief@example.net");
    assert!(mails.iter().all(|mail| mail.message.undo_link().is_none()), "the undo mails the thief no link");
}

#[test]
fn the_reader_of_an_old_mailbox_who_knows_no_password_can_only_disable() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "new@example.org");
    let owner = play.log_in("new@example.org", PASSWORD).unwrap();
    let link = play.undo_link(EMAIL);
    for _ in 0..5 {
        assert!(matches!(play.undo(&link, Some("a guess that is wrong")), Err(AuthError::WrongPassword)));
    }
    assert!(matches!(play.undo(&link, Some(PASSWORD)), Err(AuthError::WrongPassword)), "five wrong ones are the end");
    assert_eq!(play.undo(&link, None).unwrap(), Undone::Disabled);
    assert!(play.disabled() && play.caller(&owner).is_err());
    assert!(matches!(play.log_in("new@example.org", PASSWORD), Err(AuthError::InvalidCredentials)));
    assert!(play.world.audit.kinds().contains(&EventKind::DisabledByUndo));
    assert!(refused(&play.undo(&link, None)));
    // the operator enables it, and the address is still the new one
    block_on(play.service.operators().enable(&play.realm, "new@example.org")).unwrap();
    play.log_in("new@example.org", PASSWORD).unwrap();
}

#[test]
fn the_owner_undoes_what_a_stolen_session_changed() {
    let play = Play::new();
    let pair = play.user();
    play.change_phone(&pair, "+12025550199");
    let link = play.undo_link(EMAIL);
    assert_eq!(play.undo(&link, Some(PASSWORD)).unwrap(), Undone::Restored);
    assert!(play.caller(&pair).is_err());
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let profile = play.service.accounts().show_profile(&play.caller(&pair).unwrap()).unwrap();
    assert_eq!(profile.phone.as_str(), PHONE);
}

#[test]
fn a_password_reset_can_be_undone_with_the_password_before_it() {
    let play = Play::new();
    play.user();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let reset = play.link("mail_password_reset");
    block_on(play.service.passwords().reset_password(&play.realm, &reset, OTHER, &play.client)).unwrap();
    play.deliver();
    let link = play.undo_link(EMAIL);
    assert!(matches!(play.undo(&link, Some(OTHER)), Err(AuthError::WrongPassword)));
    play.undo(&link, Some(PASSWORD)).unwrap();
    assert!(play.log_in(EMAIL, OTHER).is_err());
    play.log_in(EMAIL, PASSWORD).unwrap();
}

#[test]
fn an_undo_never_leaves_fewer_factors_than_before() {
    let play = Play::new();
    let pair = play.user();
    play.proves_phone(&pair, PHONE);
    play.switches_mfa(&pair, true);
    let switched_on = play.undo_link(EMAIL);
    let user = || play.world.users.all()[0].clone();
    // the thief has the session and switches the factor off: undone, it is on again
    let stolen = play.caller(&pair).unwrap();
    let stolen = portcullis_core::use_cases::shared::caller::Caller {
        claims: portcullis_core::ports::token_signer::AccessClaims {
            methods: portcullis_core::model::session::AuthMethods::PASSWORD
                .and(portcullis_core::model::session::AuthMethods::SMS),
            ..stolen.claims.clone()
        },
        ..stolen
    };
    block_on(play.service.factors().set_mfa_sms(&stolen, false, Reauthentication::None)).unwrap();
    play.deliver();
    assert!(!user().mfa_sms);
    play.undo(&play.undo_link(EMAIL), Some(PASSWORD)).unwrap();
    assert!(user().mfa_sms && user().phone_verified);
    // and the link of an older change takes no factor of the same phone away
    assert_eq!(play.undo(&switched_on, Some(PASSWORD)).unwrap(), Undone::Restored);
    assert!(user().mfa_sms, "a factor of the owner's own phone stays on");
}

#[test]
fn an_account_that_an_operator_disabled_stays_disabled() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    block_on(play.service.operators().disable(&play.realm, "thief@example.net")).unwrap();
    let mails = play.world.mailer.sent().len();
    assert_eq!(play.undo(&play.undo_link(EMAIL), Some(PASSWORD)).unwrap(), Undone::Restored);
    assert!(play.disabled() && play.log_in(EMAIL, PASSWORD).is_err());
    assert_eq!(play.world.mailer.sent().len(), mails, "a disabled account gets no reset link");
    block_on(play.service.operators().enable(&play.realm, EMAIL)).unwrap();
    play.log_in(EMAIL, PASSWORD).unwrap();
}

#[test]
fn a_link_is_good_for_seven_days_to_the_second_in_its_realm_only() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    let link = play.undo_link(EMAIL);
    let elsewhere = samples::realm("User2");
    assert!(block_on(play.service.recovery().preview_undo(&elsewhere, &link)).is_err());
    assert!(refused(&block_on(play.service.recovery().undo(
        &elsewhere,
        &link,
        UndoProof::Password(PASSWORD),
        &play.client
    ))));
    let look = || block_on(play.service.recovery().preview_undo(&play.realm, &link));
    let UndoPreview { at, .. } = look().unwrap();
    play.world.clock.advance_to(at + WEEK - Duration::from_millis(1));
    assert!(look().is_ok());
    play.world.clock.advance_to(at + WEEK);
    assert!(look().is_err() && refused(&play.undo(&link, Some(PASSWORD))) && refused(&play.undo(&link, None)));
    assert_eq!(block_on(play.service.operators().run_housekeeping()).unwrap().undo_records, 1);
    assert!(play.world.undos.all().is_empty());
}

#[test]
fn no_other_account_gets_the_old_address_before_the_link_expires() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "new@example.org");
    let moved_at = play.world.undos.all()[0].created_at;
    // a third person registers it: no link, and the reader of the mailbox gets the mail of any taken address
    play.register(EMAIL).unwrap();
    let verifications = |play: &Play| {
        play.world.mailer.sent_to(EMAIL).iter().filter(|mail| mail.message.template() == "mail_email_verify").count()
    };
    play.deliver();
    assert_eq!(verifications(&play), 1, "the owner's own");
    assert_eq!(play.world.mailer.last_to(EMAIL).unwrap().message.template(), "already_registered");
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::EmailNotVerified)), "as for any registration");
    // another account wants to change to it
    play.register("bob@example.com").unwrap();
    play.deliver();
    play.verify(&play.link("mail_email_verify")).unwrap();
    let bob = play.log_in("bob@example.com", PASSWORD).unwrap();
    let to = ProfileChanges { email: Some(EMAIL), ..ProfileChanges::default() };
    let caller = play.caller(&bob).unwrap();
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    play.world.clock.advance(Duration::from_secs(61));
    play.deliver();
    assert!(play.world.mailer.link_token("email_change_confirm").is_some());
    assert_eq!(
        play.world.mailer.sent_to(EMAIL).iter().filter(|m| m.message.template() == "email_change_confirm").count(),
        0
    );
    // the account itself may take it back, and then change again
    let owner = play.log_in("new@example.org", PASSWORD).unwrap();
    play.move_to(&owner, EMAIL);
    let owner = play.log_in(EMAIL, PASSWORD).unwrap();
    play.world.clock.advance(Duration::from_secs(86_400));
    let owner_again = play.log_in(EMAIL, PASSWORD).unwrap();
    drop(owner);
    play.move_to(&owner_again, "newer@example.org");
    // seven days after the first change it is reserved by the second one
    play.world.clock.advance_to(moved_at + WEEK);
    play.register(EMAIL).unwrap();
    play.deliver();
    assert_eq!(verifications(&play), 1);
    // and free a week after that one
    play.world.clock.advance(WEEK);
    play.register(EMAIL).unwrap();
    play.deliver();
    assert_eq!(verifications(&play), 2);
    play.verify(&play.link("mail_email_verify")).unwrap();
}

#[test]
fn a_registration_from_before_the_change_does_not_get_the_address() {
    let play = Play::new();
    let pair = play.user();
    // its link was mailed before the account moved there and away again
    play.register("spare@example.org").unwrap();
    play.deliver();
    let stranger = play.link("mail_email_verify");
    play.move_to(&pair, "spare@example.org");
    assert!(play.verify(&stranger).is_err());
    let pair = play.log_in("spare@example.org", PASSWORD).unwrap();
    play.register("spare@example.org").unwrap();
    play.move_to(&pair, "third@example.org");
    play.deliver();
    assert!(play.verify(&stranger).is_err());
    play.undo(&play.undo_link("spare@example.org"), Some(PASSWORD)).unwrap();
    play.log_in("spare@example.org", PASSWORD).unwrap();
}

#[test]
fn a_deleted_account_leaves_no_link_and_no_reservation() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "new@example.org");
    let link = play.undo_link(EMAIL);
    let pair = play.log_in("new@example.org", PASSWORD).unwrap();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.accounts().delete_account(&caller, Reauthentication::None)).unwrap();
    assert!(play.world.undos.all().is_empty());
    assert!(refused(&play.undo(&link, Some(PASSWORD))) && refused(&play.undo(&link, None)));
    play.world.clock.advance(Duration::from_secs(61));
    play.register(EMAIL).unwrap();
    play.deliver();
    play.verify(&play.link("mail_email_verify")).unwrap();
}

#[test]
fn of_two_uses_at_the_same_instant_one_wins() {
    for proof in [UndoProof::Password(PASSWORD), UndoProof::None] {
        let play = Play::new();
        let pair = play.user();
        play.move_to(&pair, "thief@example.net");
        let link = play.undo_link(EMAIL);
        let use_it = || block_on(play.service.recovery().undo(&play.realm, &link, proof, &play.client)).is_ok();
        let won = std::thread::scope(|scope| {
            let both = [scope.spawn(use_it), scope.spawn(use_it)];
            both.map(|one| one.join().unwrap()).into_iter().filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}

#[test]
fn a_thief_who_fills_the_throttle_does_not_keep_the_owner_from_the_link() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    for n in 0..40 {
        let from = Play::from(n);
        let _ = block_on(play.service.logins().log_in(&play.realm, "thief@example.net", "wrong", &from));
    }
    assert_eq!(play.undo(&play.undo_link(EMAIL), Some(PASSWORD)).unwrap(), Undone::Restored);
}

#[test]
fn a_failure_of_the_server_takes_no_try() {
    let play = Play::new();
    let pair = play.user();
    play.move_to(&pair, "thief@example.net");
    let link = play.undo_link(EMAIL);
    for _ in 0..9 {
        play.world.faults.play(Script::next().port("password_hasher").method("hash_like").breaks(When::Before));
        assert!(matches!(play.undo(&link, Some(PASSWORD)), Err(AuthError::Port(_))));
        play.world.faults.play(Script::next().port("database").method("commit").breaks(When::Before));
        assert!(matches!(play.undo(&link, Some(PASSWORD)), Err(AuthError::Port(_))));
    }
    assert_eq!(play.undo(&link, Some(PASSWORD)).unwrap(), Undone::Restored);
}

#[test]
fn a_late_notice_goes_to_the_address_before_the_change() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    let to = ProfileChanges { phone: Some("+12025550199"), ..ProfileChanges::default() };
    play.world.mailer.refuse_next(1, portcullis_testkit::fakes::outbox::Refusal::Later);
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    play.deliver();
    play.move_to(&pair, "thief@example.net");
    play.world.clock.advance(Duration::from_secs(10));
    play.deliver();
    let mails = play.world.mailer.sent_to("thief@example.net");
    assert!(mails.iter().all(|mail| mail.message.undo_link().is_none()), "the new address gets no link");
    let changes = play.world.mailer.sent_to(EMAIL);
    assert_eq!(changes.iter().filter(|mail| mail.message.undo_link().is_some()).count(), 2);
}

/// An account whose second factor is SMS to `PHONE`, and a session that showed it.
fn with_sms(play: &Play) -> TokenPair {
    let pair = play.user();
    play.proves_phone(&pair, PHONE);
    play.switches_mfa(&pair, true);
    log_in_by_sms(play, PASSWORD)
}

fn log_in_by_sms(play: &Play, password: &str) -> TokenPair {
    let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, password, &play.client)).unwrap();
    let LoggedIn::MfaRequired(challenge) = asked else { panic!("a second factor was expected") };
    play.deliver();
    let (challenge, otp) = (challenge.token.expose(), last_code(play));
    block_on(play.service.logins().log_in_second_factor(&play.realm, &challenge, None, &otp, &play.client)).unwrap()
}

fn last_code(play: &Play) -> String {
    play.world.sms_sender.last().unwrap().message.content.code.expose().to_owned()
}

/// Asks for the code of an undo link. The challenge, the code, and the number it was sent to.
fn undo_code(play: &Play, link: &str) -> (String, String, String) {
    let challenge = block_on(play.service.recovery().send_undo_code(&play.realm, link)).unwrap().token.expose();
    play.deliver();
    let to = play.world.sms_sender.last().unwrap().to.as_str().to_owned();
    (challenge, last_code(play), to)
}

#[test]
fn a_code_to_the_phone_from_before_the_change_restores_the_account() {
    let play = Play::new();
    let pair = with_sms(&play);
    let _ = play.change_password(&pair, PASSWORD, OTHER);
    let link = play.undo_link(EMAIL);
    assert!(block_on(play.service.recovery().preview_undo(&play.realm, &link)).unwrap().by_sms);
    let (challenge, otp, to) = undo_code(&play, &link);
    assert_eq!(to, PHONE);
    let answer = FactorAnswer { method: None, challenge: Some(&challenge), response: &otp };
    assert_eq!(play.undo_by(&link, UndoProof::Code(answer)).unwrap(), Undone::Restored);
    assert!(refused(&play.undo_by(&link, UndoProof::Code(answer))), "both are good for one use");
    let _ = log_in_by_sms(&play, PASSWORD);
}

#[test]
fn the_code_goes_to_the_owner_when_a_thief_has_another_phone() {
    let play = Play::new();
    let pair = with_sms(&play);
    // the thief switches the factor off, takes another phone, and makes it the factor
    play.switches_mfa(&pair, false);
    let link = play.undo_link(EMAIL);
    play.change_phone(&pair, "+12025550199");
    play.proves_phone(&pair, "+12025550199");
    play.switches_mfa(&pair, true);
    let (challenge, otp, to) = undo_code(&play, &link);
    assert_eq!(to, PHONE);
    // nothing that the thief does in the account ends the challenge
    play.switches_mfa(&pair, false);
    let answer = FactorAnswer { method: None, challenge: Some(&challenge), response: &otp };
    assert_eq!(play.undo_by(&link, UndoProof::Code(answer)).unwrap(), Undone::Restored);
    assert!(play.caller(&pair).is_err());
    let _ = log_in_by_sms(&play, PASSWORD);
    assert_eq!(play.world.sms_sender.last().unwrap().to.as_str(), PHONE);
}

#[test]
fn a_factor_that_came_with_or_after_the_change_is_no_proof() {
    let play = Play::new();
    let pair = play.user();
    play.proves_phone(&pair, PHONE);
    play.switches_mfa(&pair, true);
    let link = play.undo_link(EMAIL);
    assert!(!block_on(play.service.recovery().preview_undo(&play.realm, &link)).unwrap().by_sms);
    let asked = block_on(play.service.recovery().send_undo_code(&play.realm, &link));
    assert!(matches!(asked, Err(AuthError::PhoneNotVerified)));
    let before = play.world.sms_sender.sent().len();
    play.deliver();
    assert_eq!(play.world.sms_sender.sent().len(), before);
}

#[test]
fn a_code_of_another_link_or_purpose_is_no_proof() {
    let play = Play::new();
    let pair = with_sms(&play);
    let pair = play.change_password(&pair, PASSWORD, OTHER);
    let first = play.undo_link(EMAIL);
    let _ = play.change_password(&pair, OTHER, PASSWORD);
    let second = play.undo_link(EMAIL);
    let (challenge, otp, _) = undo_code(&play, &second);
    let of_second = UndoProof::Code(FactorAnswer { method: None, challenge: Some(&challenge), response: &otp });
    assert!(refused(&play.undo_by(&first, of_second)));
    let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client)).unwrap();
    let LoggedIn::MfaRequired(login) = asked else { panic!("a second factor was expected") };
    play.deliver();
    let (login, otp_of_login) = (login.token.expose(), last_code(&play));
    let of_login = UndoProof::Code(FactorAnswer { method: None, challenge: Some(&login), response: &otp_of_login });
    assert!(refused(&play.undo_by(&first, of_login)));
    let of_undo =
        block_on(play.service.logins().log_in_second_factor(&play.realm, &challenge, None, &otp, &play.client));
    assert!(matches!(of_undo, Err(AuthError::InvalidToken)), "and the code of an undo opens no session");
    assert_eq!(play.undo_by(&second, of_second).unwrap(), Undone::Restored);
}

/// More challenges give no more guesses.
#[test]
fn five_wrong_codes_over_all_challenges_leave_only_the_disabling() {
    let play = Play::new();
    let pair = with_sms(&play);
    let _ = play.change_password(&pair, PASSWORD, OTHER);
    let link = play.undo_link(EMAIL);
    for turn in 0..5 {
        let (challenge, otp, _) = undo_code(&play, &link);
        let wrong = if otp == "000000" { "000001" } else { "000000" };
        // neither can be the code of a challenge of the link
        for (challenge, otp) in [(challenge.as_str(), "12345"), (&"A".repeat(43), "123456")] {
            assert!(refused(&play.undo_by(
                &link,
                UndoProof::Code(FactorAnswer { method: None, challenge: Some(challenge), response: otp })
            )));
        }
        let wrong = UndoProof::Code(FactorAnswer { method: None, challenge: Some(&challenge), response: wrong });
        assert!(refused(&play.undo_by(&link, wrong)), "{turn}");
        play.world.clock.advance(Duration::from_secs(600));
    }
    let asked = block_on(play.service.recovery().send_undo_code(&play.realm, &link));
    assert!(matches!(asked, Err(AuthError::InvalidToken)));
    assert!(matches!(play.undo(&link, Some(PASSWORD)), Err(AuthError::WrongPassword)));
    assert_eq!(play.undo(&link, None).unwrap(), Undone::Disabled);
}

/// A thief who has spent the texts of the account does not keep its owner from the link.
#[test]
fn the_texts_of_an_undo_link_are_counted_by_the_link() {
    let play = Play::new();
    let pair = with_sms(&play);
    let _ = play.change_password(&pair, PASSWORD, OTHER);
    let link = play.undo_link(EMAIL);
    let sent = || play.world.sms_sender.sent().len();
    let before = sent();
    // also those of its number
    for _ in 0..30 {
        play.world.clock.advance(Duration::from_secs(61));
        let _ = block_on(play.service.logins().log_in(&play.realm, EMAIL, OTHER, &play.client)).unwrap();
        play.deliver();
    }
    assert!((before + 15..before + 30).contains(&sent()), "the texts of the account are spent: {}", sent() - before);
    let now = sent();
    let _ = undo_code(&play, &link);
    assert_eq!(sent(), now + 1);
}

/// A thief who fills the records pushes no older one out, and the owner's link frees the places.
#[test]
fn changes_beyond_the_limit_are_refused_and_no_link_gives_way() {
    let play = Play::with(Policy { undo_links: 3, limits_on: false, ..Policy::default() });
    let pair = play.user();
    let mut pair = play.change_password(&pair, PASSWORD, OTHER);
    let link = play.undo_link(EMAIL);
    for (from, to) in [(OTHER, PASSWORD), (PASSWORD, OTHER)] {
        pair = play.change_password(&pair, from, to);
    }
    play.proves_phone(&pair, PHONE);
    let caller = play.caller(&pair).unwrap();
    let refused = |answer: Result<(), AuthError>| match answer {
        Err(AuthError::TooManyChanges(wait)) => assert_eq!(wait, WEEK),
        answer => panic!("{answer:?}"),
    };
    let passwords = play.service.passwords();
    refused(block_on(passwords.change_password(&caller, OTHER, PASSWORD, &play.client)).map(|_| ()));
    refused(block_on(play.service.factors().set_mfa_sms(&caller, true, Reauthentication::None)).map(|_| ()));
    let to = ProfileChanges { phone: Some("+12025550199"), ..ProfileChanges::default() };
    let accounts = play.service.accounts();
    refused(block_on(accounts.update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).map(|_| ()));
    assert_eq!(play.world.undos.all().len(), 3);
    // a reset is never refused
    block_on(passwords.request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    block_on(passwords.reset_password(&play.realm, &play.link("mail_password_reset"), PASSWORD, &play.client)).unwrap();
    assert_eq!(play.undo(&link, Some(PASSWORD)).unwrap(), Undone::Restored);
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let pair = play.change_password(&pair, PASSWORD, OTHER);
    // and with the expiry of the oldest there is a place again
    for (from, to) in [(OTHER, PASSWORD), (PASSWORD, OTHER)] {
        let _ = play.change_password(&play.log_in(EMAIL, from).unwrap(), from, to);
    }
    assert!(play.caller(&pair).is_err());
    let caller = play.caller(&play.log_in(EMAIL, OTHER).unwrap()).unwrap();
    refused(block_on(passwords.change_password(&caller, OTHER, PASSWORD, &play.client)).map(|_| ()));
    play.world.clock.advance(WEEK);
    let pair = play.log_in(EMAIL, OTHER).unwrap();
    let _ = play.change_password(&pair, OTHER, PASSWORD);
}
