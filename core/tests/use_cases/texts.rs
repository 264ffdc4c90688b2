//! The SMS quotas: every cap, and that none of them discloses whether an account exists.

use std::time::Duration;

use super::{PASSWORD, Play};
use portcullis_core::model::code::Code;
use portcullis_core::model::country::Country;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::message::Channel;
use portcullis_core::model::quota::Quota;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::policy::{Policy, SmsQuotas};
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::sms_quotas::SmsDenied;
use portcullis_testkit::race::block_on;

const DAY: Duration = Duration::from_secs(86_400);
const ROOMY: Quota = Quota::new(1000, DAY);

fn guarded(change: impl FnOnce(&mut SmsQuotas)) -> Play {
    let mut texts = SmsQuotas {
        countries: None,
        per_account: ROOMY,
        cool_down: ROOMY,
        per_number: ROOMY,
        of_a_prefix: ROOMY,
        unanswered: ROOMY,
        per_realm: ROOMY,
        of_logins: ROOMY,
    };
    change(&mut texts);
    Play::with(Policy { texts, ..Policy::default() })
}

/// An account with that number; its id.
fn owner(play: &Play, number: &str, country: &str) -> String {
    owner_as(play, &format!("p{}@example.com", number.trim_start_matches('+')), number, country)
}

fn owner_as(play: &Play, email: &str, number: &str, country: &str) -> String {
    let form = RegistrationForm {
        first_name: Some("Ada"),
        last_name: Some("Lovelace"),
        email: Some(email),
        phone: Some(number),
        country_code: Some(country),
        password: Some(PASSWORD),
    };
    let id = block_on(play.service.registrations().register(&play.realm, form, Vec::new(), &play.client)).unwrap();
    play.deliver();
    play.verify(&play.link("mail_email_verify")).unwrap();
    play.deliver();
    id.to_string()
}

/// Asks for a text; what became of it, and the token.
fn ask(play: &Play, id: &str, number: &str) -> (Option<SmsDenied>, String) {
    let token = block_on(play.service.factors().send_otp(&play.realm, id, number, Channel::Sms)).expect("202 for all");
    match block_on(play.service.deliveries().deliver_next()).unwrap() {
        Delivery::Done(_) => (None, token.expose()),
        Delivery::Held(_, refusal) => (Some(refusal), token.expose()),
        other => panic!("{other:?}"),
    }
}

type Change = fn(&mut SmsQuotas, Quota);

#[test]
fn each_cap_holds_texts_back_and_says_which() {
    let two = Quota::new(2, DAY);
    let caps: [(SmsDenied, Change); 6] = [
        (SmsDenied::Account, |guard, quota| guard.per_account = quota),
        (SmsDenied::CoolDown, |guard, quota| guard.cool_down = quota),
        (SmsDenied::Number, |guard, quota| guard.per_number = quota),
        (SmsDenied::Prefix, |guard, quota| guard.of_a_prefix = quota),
        (SmsDenied::Unanswered, |guard, quota| guard.unanswered = quota),
        (SmsDenied::Altogether, |guard, quota| guard.per_realm = quota),
    ];
    for (expected, change) in caps {
        let play = guarded(|guard| change(guard, two));
        let id = owner(&play, "+12125550100", "US");
        let told: Vec<_> = (0..3).map(|_| ask(&play, &id, "+12125550100").0).collect();
        assert_eq!(told, [None, None, Some(expected)]);
        assert_eq!(play.world.sms_sender.sent().len(), 2);
        let kinds: Vec<_> = play.world.audit.all().into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::TextHeldBack).count(), 1);
        // half a day gives one back
        play.world.clock.advance(DAY / 2);
        assert_eq!(ask(&play, &id, "+12125550100").0, None, "{expected:?}");
    }
}

#[test]
fn numbers_of_a_range_share_what_the_range_may_cost_and_others_do_not() {
    let play = guarded(|guard| guard.of_a_prefix = Quota::new(3, DAY));
    let told: Vec<_> = (0..4)
        .map(|n| {
            let number = format!("+12125550{n}00");
            ask(&play, &owner(&play, &number, "US"), &number).0
        })
        .collect();
    assert_eq!(told, [None, None, None, Some(SmsDenied::Prefix)]);
    let elsewhere = "+13125550100";
    assert_eq!(ask(&play, &owner(&play, elsewhere, "US"), elsewhere).0, None);
}

#[test]
fn sms_whose_code_came_back_do_not_count_as_unanswered() {
    let play = guarded(|guard| guard.unanswered = Quota::new(2, DAY));
    let number = "+12125550100";
    let id = owner(&play, number, "US");
    for _ in 0..10 {
        let (refused, token) = ask(&play, &id, number);
        assert_eq!(refused, None);
        let code = play.world.sms_sender.code().unwrap();
        block_on(play.service.factors().verify_otp(&play.realm, &token, code.expose())).unwrap();
    }
    let told: Vec<_> = (0..3).map(|_| ask(&play, &id, number).0).collect();
    assert_eq!(told, [None, None, Some(SmsDenied::Unanswered)]);
}

#[test]
fn an_unserved_country_is_refused_by_the_number_alone() {
    let served = vec![Country::parse("US").unwrap(), Country::parse("DE").unwrap()];
    let play = guarded(|guard| guard.countries = Some(served));
    let bahamas = "+12425551234";
    let id = owner(&play, bahamas, "BS");
    for (id, number) in
        [(id.as_str(), bahamas), ("usr_00000000000000000000000000000000", bahamas), ("x", "+33 1 2345678")]
    {
        let refused = block_on(play.service.factors().send_otp(&play.realm, id, number, Channel::Sms)).unwrap_err();
        let AuthError::Invalid(violations) = refused else { panic!("{refused:?}") };
        assert_eq!((violations[0].field.as_ref(), violations[0].code), ("phone", Code::PhoneCountryNotServed));
    }
    let berlin = "+49301234567";
    assert_eq!(ask(&play, &owner(&play, berlin, "DE"), berlin).0, None);
    let refused = block_on(play.service.factors().send_otp(&play.realm, "x", "no number at all", Channel::Sms));
    assert!(matches!(refused, Err(AuthError::Invalid(found)) if found[0].code == Code::PhoneInvalid));
    assert_eq!(play.world.sms_sender.sent().len(), 1);
}

#[test]
fn a_stranger_with_the_same_number_does_not_use_up_the_owners_quota() {
    let play = guarded(|guard| guard.cool_down = Quota::new(2, DAY));
    let number = "+12125550100";
    let (owners, strangers) = (owner(&play, number, "US"), owner_as(&play, "stranger@example.com", number, "US"));
    let (_, token) = ask(&play, &owners, number);
    block_on(play.service.factors().verify_otp(&play.realm, &token, play.world.sms_sender.code().unwrap().expose()))
        .unwrap();
    let email = format!("p{}@example.com", number.trim_start_matches('+'));
    let pair = play.log_in(&email, PASSWORD).unwrap();
    block_on(play.service.factors().set_mfa_sms(&play.caller(&pair).unwrap(), true, Reauthentication::None)).unwrap();
    play.deliver();
    let told: Vec<_> = (0..2).map(|_| ask(&play, &strangers, number).0).collect();
    assert_eq!(told, [None, Some(SmsDenied::CoolDown)]);
    let before = play.world.sms_sender.sent().len();
    let asked = block_on(play.service.logins().log_in(&play.realm, &email, PASSWORD, &play.client)).unwrap();
    assert!(matches!(asked, LoggedIn::MfaRequired(_)));
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Done(_)));
    assert_eq!(play.world.sms_sender.sent().len(), before + 1, "the login's code goes out");
}
