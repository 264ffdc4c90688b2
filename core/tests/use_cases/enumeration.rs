//! Sequences of requests tell no more about an address than one request: whether it has an account stays hidden from a
//! stranger who registers it.

use std::time::Duration;

use super::{EMAIL, OTHER, PASSWORD, Play};
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;

/// The password that the stranger chooses.
const STRANGERS: &str = "Vw6%tRz1!mK8-orchard";
const NEW: &str = "new@example.com";

/// The address of a state, and the steps that lead to it.
type State = (&'static str, fn(&Play));

fn nothing(_: &Play) {}

fn account(play: &Play) {
    let _ = play.user();
}

fn changed_password(play: &Play) {
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
    play.deliver();
}

fn reset_password(play: &Play) {
    let _ = play.user();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let link = play.link("mail_password_reset");
    block_on(play.service.passwords().reset_password(&play.realm, &link, OTHER, &play.client)).unwrap();
    play.deliver();
}

fn changed_email(play: &Play) {
    let pair = play.user();
    let to = ProfileChanges { email: Some(NEW), ..Default::default() };
    let caller = play.caller(&pair).unwrap();
    let given = Reauthentication::None;
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), given)).unwrap();
    play.deliver();
    play.verify(&play.link("email_change_confirm")).unwrap();
    play.deliver();
}

fn disabled(play: &Play) {
    let _ = play.user();
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
}

fn old_parameters(play: &Play) {
    let _ = play.user();
    play.world.hasher.set_parameters("dearer");
}

const UNKNOWN: [State; 2] = [(EMAIL, nothing), ("free@example.com", account)];
const KNOWN: [State; 6] = [
    (EMAIL, account),
    (EMAIL, changed_password),
    (EMAIL, reset_password),
    (NEW, changed_email),
    (EMAIL, disabled),
    (EMAIL, old_parameters),
];

/// A request of a stranger about an address.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    LogIn,
    LogInWithAnother,
    Resend,
    Forget,
    Wait(u64),
}

/// The answer that the stranger gets.
fn told(play: &Play, address: &'static str, step: Step) -> String {
    let text = |answer: Result<(), AuthError>| answer.map_or_else(|error| error.to_string(), |()| "done".to_owned());
    let log_in = |password| text(play.log_in(address, password).map(|_| ()));
    let answer = match step {
        Step::Create => {
            let form = RegistrationForm { password: Some(STRANGERS), ..Play::form(address) };
            let client = Play::from(9);
            let created = play.service.registrations().register(&play.realm, form, Vec::new(), &client);
            text(block_on(created).map(|_| ()))
        }
        Step::LogIn => log_in(STRANGERS),
        Step::LogInWithAnother => log_in("another-password-of-nobody"),
        Step::Resend => {
            text(block_on(play.service.registrations().resend_verification(&play.realm, address, &play.client)))
        }
        Step::Forget => text(block_on(play.service.passwords().request_reset(&play.realm, address, &play.client))),
        Step::Wait(seconds) => {
            play.world.clock.advance(Duration::from_secs(seconds));
            String::new()
        }
    };
    play.deliver();
    answer
}

const DAY: u64 = 86_400;

#[test]
fn no_sequence_tells_a_known_address_from_an_unknown_one() {
    use Step::{Create, Forget, LogIn, LogInWithAnother, Resend, Wait};
    let sequences: [&[Step]; 9] = [
        &[Create, LogIn],
        &[LogIn, Create, LogIn],
        &[Create, LogInWithAnother, LogIn],
        &[Create, Resend, LogIn],
        &[Create, Wait(DAY - 60), LogIn],
        &[Create, Wait(DAY), LogIn],
        &[Create, Wait(DAY / 2), Resend, Wait(DAY / 2), LogIn],
        &[LogIn, Forget, LogIn],
        &[Create, Create, Create, Create, Create, Create, LogIn, Wait(DAY), LogIn],
    ];
    for sequence in sequences {
        let play_all = |(address, prepare): State| {
            let play = Play::new();
            prepare(&play);
            sequence.iter().map(|step| told(&play, address, *step)).collect::<Vec<_>>()
        };
        let expected = play_all(UNKNOWN[0]);
        for state in UNKNOWN.into_iter().chain(KNOWN) {
            assert_eq!(play_all(state), expected, "{sequence:?}");
        }
    }
}

#[test]
fn an_account_that_is_new_or_changed_its_password_answers_like_a_registration() {
    for change in [nothing as fn(&Play), |play: &Play| {
        let pair = play.log_in(EMAIL, PASSWORD).unwrap();
        let caller = play.caller(&pair).unwrap();
        block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
    }] {
        let play = Play::new();
        play.register(EMAIL).unwrap();
        play.deliver();
        let link = play.link("mail_email_verify");
        assert_eq!(told(&play, EMAIL, Step::Create), "done");
        block_on(play.service.registrations().verify_link(&play.realm, &link, Some(PASSWORD))).unwrap();
        change(&play);
        assert!(matches!(play.log_in(EMAIL, STRANGERS), Err(AuthError::EmailNotVerified)));
    }
}

#[test]
fn a_registration_of_a_taken_address_is_worth_nothing() {
    let play = Play::new();
    let _ = play.user();
    assert_eq!(told(&play, EMAIL, Step::Create), "done");
    assert_eq!(play.world.mailer.templates().last(), Some(&"already_registered"));
    assert!(play.log_in(EMAIL, PASSWORD).is_ok(), "the owner logs in as before");
    // and nothing of it outlives the account
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let given = Reauthentication::None;
    block_on(play.service.accounts().delete_account(&play.caller(&pair).unwrap(), given)).unwrap();
    assert!(play.world.registrations.all().is_empty());
}

/// The parameters in a hash of the fake.
fn parameters(hash: &PasswordHash) -> String {
    hash.as_str().split('$').nth(3).unwrap().to_owned()
}

/// As many unknown addresses cost the old parameters as known ones do.
#[test]
fn unknown_addresses_draw_their_parameters_in_the_proportion_of_the_realm() {
    let play = Play::new();
    let emails: Vec<&'static str> = (0..8).map(|n| &*format!("owner{n}@example.com").leak()).collect();
    let index = |email: &str| play.service.login_index(&play.realm, email);
    assert_eq!(play.service.decoy_hash(&play.realm, &index("free@example.com")), None, "nothing is counted yet");
    for email in &emails[..6] {
        let _ = play.user_at(email);
    }
    play.world.hasher.set_parameters("dearer");
    for email in &emails[6..] {
        let _ = play.user_at(email);
    }
    let count = |realm| block_on(play.service.count_hash_parameters(realm)).unwrap();
    count(&play.realm);
    let drawn = |email: &str| parameters(&play.service.decoy_hash(&play.realm, &index(email)).unwrap());
    let unknown: Vec<String> = (0..400).map(|n| format!("nobody{n}@example.com")).collect();
    let old = unknown.iter().filter(|email| drawn(email) == "m=8,t=1,p=1").count();
    assert!((260..340).contains(&old), "three quarters of 400, and it is {old}");
    assert!(unknown.iter().all(|email| ["m=8,t=1,p=1", "dearer"].contains(&drawn(email).as_str())));
    // always the same for one address, with a salt of its own
    let decoy = |email: &str| play.service.decoy_hash(&play.realm, &index(email)).unwrap();
    assert_eq!(decoy("free@example.com"), decoy("FREE@example.com"));
    assert_ne!(decoy(&unknown[0]).as_str().split('$').nth(4), decoy(&unknown[1]).as_str().split('$').nth(4));
    let elsewhere = samples::realm("User2");
    count(&elsewhere);
    assert_eq!(play.service.decoy_hash(&elsewhere, &index("free@example.com")), None, "realms share nothing");

    // the login computes that hash, and a registration is stored with it
    let hashed = |name| play.world.hasher.faults().calls(name);
    let (fresh, like) = (hashed("hash"), hashed("hash_like"));
    assert!(play.log_in(&unknown[0], "wrong").is_err());
    play.register("free@example.com").unwrap();
    assert_eq!((hashed("hash"), hashed("hash_like")), (fresh, like + 2));
    assert!(matches!(play.log_in("free@example.com", PASSWORD), Err(AuthError::EmailNotVerified)));

    // once the owners have logged in, no old parameters are left to draw
    for email in &emails {
        let _ = play.log_in(email, PASSWORD).unwrap();
    }
    count(&play.realm);
    assert!(unknown.iter().all(|email| drawn(email) == "dearer"));
}
