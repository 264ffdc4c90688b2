//! A stranger who registers an address can neither keep it from its owner nor plant a password in the owner's account.

use std::time::Duration;

use super::{EMAIL, PASSWORD, Play};
use portcullis_core::model::client::Client;
use portcullis_core::model::code::Code;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::use_cases::registration::verify_email::{LinkEffect, LinkPreview, Verified};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_testkit::race::block_on;

const STRANGERS: &str = "Vw6%tRz1!mK8-orchard";

fn register(play: &Play, password: &'static str, client: &Client) {
    let form = RegistrationForm { password: Some(password), ..Play::form(EMAIL) };
    block_on(play.service.registrations().register(&play.realm, form, Vec::new(), client)).unwrap();
    play.deliver();
}

fn verify(play: &Play, link: &str, password: Option<&str>) -> Result<Verified, AuthError> {
    block_on(play.service.registrations().verify_link(&play.realm, link, password))
}

#[test]
fn a_stranger_who_fills_the_places_loses_them_and_the_owner_gets_a_mail() {
    let play = Play::new();
    for _ in 0..5 {
        register(&play, STRANGERS, &Play::from(9));
        play.world.clock.advance(Duration::from_secs(61));
    }
    let stranger = play.link("mail_email_verify");
    register(&play, PASSWORD, &play.client);
    assert_ne!(play.link("mail_email_verify"), stranger, "the owner's own mail is sent");
    let link = play.link("mail_email_verify");
    // more of the stranger's push out their own
    for _ in 0..6 {
        play.world.clock.advance(Duration::from_secs(61));
        register(&play, STRANGERS, &Play::from(9));
    }
    verify(&play, &link, Some(PASSWORD)).unwrap();
    play.log_in(EMAIL, PASSWORD).unwrap();
    assert!(matches!(play.log_in(EMAIL, STRANGERS), Err(AuthError::EmailNotVerified)));
}

#[test]
fn the_link_of_a_strangers_registration_needs_the_strangers_password() {
    let play = Play::new();
    register(&play, PASSWORD, &play.client);
    register(&play, STRANGERS, &Play::from(9));
    let link = play.link("mail_email_verify");
    let code = play.world.mailer.code().unwrap();
    let preview = block_on(play.service.registrations().preview_link(&play.realm, &link)).unwrap();
    assert!(matches!(preview, LinkPreview { effect: LinkEffect::Registration { needs_password: true, .. }, .. }));
    let Err(AuthError::Invalid(missing)) = verify(&play, &link, None) else { panic!("a password is needed") };
    assert_eq!((missing[0].field.as_ref(), missing[0].code), ("password", Code::Required));
    // the owner types the only password they know
    assert!(matches!(verify(&play, &link, Some(PASSWORD)), Err(AuthError::WrongPassword)));
    let by_code = block_on(play.service.registrations().verify_code(&play.realm, EMAIL, code.expose(), Some(PASSWORD)));
    assert!(matches!(by_code, Err(AuthError::WrongPassword)));
    for _ in 0..3 {
        assert!(matches!(verify(&play, &link, Some("")), Err(AuthError::WrongPassword)));
    }
    assert!(matches!(verify(&play, &link, Some(STRANGERS)), Err(AuthError::InvalidToken)), "five wrong ones end it");
    assert!(play.world.users.all().is_empty());
}

/// Also when the other registration has expired, or was thrown away.
#[test]
fn a_registration_that_was_contested_once_stays_so() {
    let play = Play::new();
    register(&play, STRANGERS, &Play::from(9));
    let theirs = play.link("mail_email_verify");
    register(&play, PASSWORD, &play.client);
    let mine = play.link("mail_email_verify");
    block_on(play.service.registrations().reject_link(&play.realm, &theirs)).unwrap();
    assert!(matches!(verify(&play, &mine, None), Err(AuthError::Invalid(_))));
    verify(&play, &mine, Some(PASSWORD)).unwrap();
}

#[test]
fn a_mail_sent_again_does_not_keep_a_registration_alive() {
    let play = Play::new();
    register(&play, PASSWORD, &play.client);
    play.world.clock.advance(Duration::from_secs(86_400 - 10));
    block_on(play.service.registrations().resend_verification(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let link = play.link("mail_email_verify");
    play.world.clock.advance(Duration::from_secs(10));
    assert!(matches!(verify(&play, &link, None), Err(AuthError::InvalidToken)));
    assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(AuthError::InvalidCredentials)));
}
