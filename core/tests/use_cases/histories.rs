//! Lives from beginning to end.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::message::Channel;
use portcullis_core::ports::field_cipher::FieldCipher as _;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::registration::verify_email::{LinkEffect, LinkPreview};
use portcullis_core::use_cases::session::introspect::ActiveToken;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_testkit::race::block_on;

#[test]
fn register_verify_log_in_change_and_delete() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::EmailNotVerified)));
    play.deliver();
    let link = play.link("mail_email_verify");
    let preview = block_on(play.service.registrations().preview_link(&play.realm, &link)).unwrap();
    assert!(
        matches!(preview, LinkPreview { effect: LinkEffect::Registration { first_name, .. }, .. } if first_name.as_str() == "Ada")
    );
    play.verify(&link).unwrap();
    assert!(matches!(play.verify(&link), Err(AuthError::InvalidToken)));
    play.deliver();
    let pair = play.log_in(" ADA@example.com", PASSWORD).unwrap();
    let caller = play.caller(&pair).unwrap();
    assert_eq!(play.service.accounts().show_profile(&caller).unwrap().email.as_str(), EMAIL);

    let changes =
        ProfileChanges { first_name: Some("Augusta"), email: Some("augusta@example.org"), ..Default::default() };
    let changed =
        block_on(play.service.accounts().update_profile(&caller, changes, Some(1), Vec::new(), Reauthentication::None))
            .unwrap();
    assert_eq!(changed.pending_email.unwrap().as_str(), "augusta@example.org");
    play.deliver();
    let link = play.link("email_change_confirm");
    let preview = block_on(play.service.registrations().preview_link(&play.realm, &link)).unwrap();
    assert!(matches!(preview, LinkPreview { effect: LinkEffect::EmailChange { .. }, .. }));
    play.verify(&link).unwrap();
    play.deliver();
    assert!(play.world.users.all().iter().all(|user| user.previous_email.is_none()), "forgotten once told");
    let told = play.world.mailer.templates();
    assert_eq!(
        told,
        ["mail_email_verify", "registration", "email_change_confirm", "email_change_requested", "email_changed"]
    );

    assert!(matches!(play.caller(&pair), Err(AuthError::NotAuthenticated)), "a new address ends every session");
    let pair = play.log_in("augusta@example.org", PASSWORD).unwrap();
    let caller = play.caller(&pair).unwrap();
    let export = block_on(play.service.accounts().export(&caller)).unwrap();
    assert_eq!((export.sessions.len(), export.profile.first_name.as_str()), (1, "Augusta"));
    assert!(export.events.iter().any(|event| event.kind == EventKind::EmailChanged));
    block_on(play.service.accounts().delete_account(&caller, Reauthentication::None)).unwrap();
    assert!(matches!(play.caller(&pair), Err(AuthError::NotAuthenticated)));
    assert!(play.world.users.all().is_empty() && play.world.sessions.all().is_empty());
    assert!(matches!(play.log_in("augusta@example.org", PASSWORD), Err(AuthError::InvalidCredentials)));
}

#[test]
fn a_change_of_address_can_be_taken_back() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    let to = |email| ProfileChanges { email: Some(email), ..Default::default() };
    block_on(play.service.accounts().update_profile(
        &caller,
        to("new@example.org"),
        None,
        Vec::new(),
        Reauthentication::None,
    ))
    .unwrap();
    play.deliver();
    let link = play.link("email_change_confirm");
    block_on(play.service.registrations().reject_link(&play.realm, &link)).unwrap();
    assert!(matches!(play.verify(&link), Err(AuthError::InvalidToken)));
    // a caller who is out of date sees the newest version
    let again = block_on(play.service.accounts().update_profile(
        &caller,
        to("new@example.org"),
        None,
        Vec::new(),
        Reauthentication::None,
    ))
    .unwrap();
    assert!(again.pending_email.is_some());
    let back =
        block_on(play.service.accounts().update_profile(&caller, to(EMAIL), None, Vec::new(), Reauthentication::None))
            .unwrap();
    assert!(back.pending_email.is_none());
}

#[test]
fn passwords_are_changed_and_reset() {
    let play = Play::new();
    let (here, there) = (play.user(), play.log_in(EMAIL, PASSWORD).unwrap());
    let caller = play.caller(&here).unwrap();
    let new = block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
    assert!(play.caller(&new).is_ok());
    assert!(matches!(play.caller(&here), Err(AuthError::NotAuthenticated)));
    assert!(matches!(play.caller(&there), Err(AuthError::NotAuthenticated)));
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::InvalidCredentials)));

    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    block_on(play.service.passwords().request_reset(&play.realm, "nobody@example.com", &play.client)).unwrap();
    play.deliver();
    let link = play.link("mail_password_reset");
    block_on(play.service.passwords().preview_reset(&play.realm, &link)).unwrap();
    let weak = block_on(play.service.passwords().reset_password(&play.realm, &link, "lovelace", &play.client));
    assert!(matches!(weak, Err(AuthError::Invalid(_))));
    block_on(play.service.passwords().reset_password(&play.realm, &link, PASSWORD, &play.client)).unwrap();
    assert!(matches!(play.caller(&here), Err(AuthError::NotAuthenticated)));
    assert!(matches!(
        block_on(play.service.passwords().preview_reset(&play.realm, &link)),
        Err(AuthError::InvalidToken)
    ));
    play.log_in(EMAIL, PASSWORD).unwrap();
}

#[test]
fn the_phone_is_proven_and_becomes_a_factor() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    let id = caller.user.id.to_string();
    let set_in = |pair, on, given| block_on(play.service.factors().set_mfa_sms(&play.caller(pair).unwrap(), on, given));
    let set = |on, given| set_in(&pair, on, given);
    assert!(matches!(set(true, Reauthentication::None), Err(AuthError::PhoneNotVerified)));
    let ask = || {
        block_on(play.service.factors().send_otp(&play.realm, &id, "+1 (234) 567-890", Channel::Sms)).unwrap().expose()
    };
    let code = || {
        play.deliver();
        play.world.sms_sender.last().unwrap().message.content.code.expose().to_owned()
    };
    let challenge = ask();
    let right = code();
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let answer = |otp: &str| block_on(play.service.factors().verify_otp(&play.realm, &challenge, otp));
    assert!(matches!(answer(wrong), Err(AuthError::InvalidToken)));
    assert!(matches!(answer("12345"), Err(AuthError::InvalidToken)));
    answer(&right).unwrap();
    set(true, Reauthentication::None).unwrap();
    set(true, Reauthentication::None).unwrap();

    let asked = block_on(play.service.logins().log_in(&play.realm, EMAIL, PASSWORD, &play.client)).unwrap();
    let LoggedIn::MfaRequired(mfa) = asked else { panic!("a second factor was expected") };
    let second = |otp: &str| {
        block_on(play.service.logins().log_in_second_factor(&play.realm, &mfa.token.expose(), None, otp, &play.client))
    };
    let right = code();
    assert!(matches!(second(wrong), Err(AuthError::InvalidToken)) || right == wrong);
    let session = second(&right).unwrap();
    assert!(play.caller(&session).is_ok());
    let other_phone = ProfileChanges { phone: Some("+1987654321"), ..Default::default() };
    let change_phone = |given| {
        let caller = play.caller(&session).unwrap();
        block_on(play.service.accounts().update_profile(&caller, other_phone, None, Vec::new(), given))
    };
    assert!(matches!(change_phone(Reauthentication::None), Err(AuthError::MfaInUse)));

    play.world.clock.advance(Duration::from_secs(901));
    assert!(matches!(set(false, Reauthentication::None), Err(AuthError::ReauthenticationRequired)));
    assert!(matches!(
        set(false, Reauthentication::by_password(Some("x"), &play.client)),
        Err(AuthError::WrongPassword)
    ));
    let password = Reauthentication::by_password(Some(PASSWORD), &play.client);
    assert!(matches!(set(false, password), Err(AuthError::ReauthenticationRequired)));
    let otp = right;
    set_in(&session, false, password).unwrap();
    change_phone(Reauthentication::by_password(Some(PASSWORD), &play.client)).unwrap();
    // a code that was on its way to the old number is worth nothing
    let stale = ask();
    play.deliver();
    assert!(play.world.sms_sender.sent_to("+1987654321").is_empty() && play.world.sms_sender.sent_to(PHONE).len() == 2);
    assert!(matches!(
        block_on(play.service.factors().verify_otp(&play.realm, &stale, &otp)),
        Err(AuthError::InvalidToken)
    ));
}

#[test]
fn sessions_are_listed_introspected_ended_and_swept() {
    let play = Play::new();
    let (one, two, three) = (play.user(), play.log_in(EMAIL, PASSWORD).unwrap(), play.log_in(EMAIL, PASSWORD).unwrap());
    let caller = play.caller(&one).unwrap();
    let listed = block_on(play.service.sessions().list_sessions(&caller)).unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!((listed[0].user_agent.as_str(), listed[0].address.as_str()), ("Browser/1.0", "198.51.100.0"));
    block_on(play.service.sessions().end_session(&caller, &two.session.to_string())).unwrap();
    let gone = block_on(play.service.sessions().end_session(&caller, &two.session.to_string()));
    assert!(matches!(gone, Err(AuthError::NotFound)));
    let introspect = |token: &str| block_on(play.service.sessions().introspect(&play.realm, token)).unwrap();
    assert!(introspect(two.access.expose()).is_none() && introspect(two.refresh.expose()).is_none());
    assert!(matches!(introspect(one.access.expose()), Some(ActiveToken::Access(_))));
    assert!(matches!(introspect(one.refresh.expose()), Some(ActiveToken::Refresh { user, .. }) if user == one.user));
    block_on(play.service.sessions().revoke(&play.realm, three.access.expose())).unwrap();
    block_on(play.service.sessions().revoke(&play.realm, "nothing of ours")).unwrap();
    block_on(play.service.sessions().revoke(&play.realm, three.refresh.expose())).unwrap();
    assert!(introspect(three.refresh.expose()).is_none());
    block_on(play.service.sessions().log_out(&caller)).unwrap();
    assert!(introspect(one.access.expose()).is_none());

    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    block_on(play.service.sessions().log_out_everywhere(&play.caller(&pair).unwrap())).unwrap();
    assert!(matches!(play.caller(&pair), Err(AuthError::NotAuthenticated)));
    play.log_in(EMAIL, PASSWORD).unwrap();
    play.register("late@example.com").unwrap();
    play.deliver();
    play.world.clock.advance(Duration::from_secs(91 * 86_400));
    let swept = block_on(play.service.operators().run_housekeeping()).unwrap();
    assert_eq!((swept.registrations, swept.sessions, swept.one_time_tokens), (1, 1, 1));
}

#[test]
fn a_hash_of_other_parameters_is_renewed() {
    let play = Play::new();
    let _ = play.user();
    let before = play.world.users.all()[0].clone();
    play.world.hasher.set_parameters("dearer");
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let after = play.world.users.all()[0].clone();
    assert_ne!(after.password, before.password);
    // compare-and-swap sees another version; sessions stay valid
    assert_eq!((after.version, after.credentials_version), (before.version + 1, before.credentials_version));
    assert!(play.caller(&pair).is_ok());
}

#[test]
fn an_account_begins_under_the_newest_key_whatever_its_registration_lies_under() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    play.deliver();
    play.world.cipher.rotate(&[2, 1]);
    play.verify(&play.link("mail_email_verify")).unwrap();
    let keys = play.world.users.all().into_iter().map(|user| play.world.cipher.wrapping_key(&user.person.key));
    assert_eq!(keys.collect::<Vec<_>>(), [Some(2)]);
    // the old key may go, and the person is still there
    play.world.cipher.rotate(&[2]);
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    assert_eq!(play.service.accounts().show_profile(&play.caller(&pair).unwrap()).unwrap().first_name.as_str(), "Ada");
}

/// A credentials version that came back would bring its tokens back: each change raises it by one.
#[test]
fn generations_only_grow() {
    let play = Play::new();
    let pair = play.user();
    let credentials_version = || play.world.users.all()[0].credentials_version;
    let mut before = credentials_version();
    let mut is_next = |what: &str| {
        assert_eq!(credentials_version(), before + 1, "{what}");
        before += 1;
    };
    block_on(play.service.passwords().change_password(&play.caller(&pair).unwrap(), PASSWORD, OTHER, &play.client))
        .unwrap();
    is_next("changed");
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    block_on(play.service.passwords().reset_password(
        &play.realm,
        &play.link("mail_password_reset"),
        PASSWORD,
        &play.client,
    ))
    .unwrap();
    is_next("reset");
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    block_on(play.service.sessions().log_out_everywhere(&play.caller(&pair).unwrap())).unwrap();
    is_next("logged out everywhere");
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    is_next("disabled");
    block_on(play.service.operators().enable(&play.realm, EMAIL)).unwrap();
    assert_eq!(credentials_version(), before, "enabled");
}
