//! Mail and texts: at least once, within quotas, and never lost silently.

use std::time::Duration;

use super::{EMAIL, PASSWORD, Play};
use portcullis_core::model::client::Client;
use portcullis_core::model::job::MAX_ATTEMPTS;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::deliver::{Delivery, LEASE};
use portcullis_core::use_cases::operator::dead_letters::requeue;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_testkit::fakes::outbox::Refusal;
use portcullis_testkit::race::block_on;

#[test]
fn an_unreachable_server_is_retried_and_a_refusal_is_a_dead_letter() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    play.world.mailer.refuse_next(2, Refusal::Later);
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Later(..)));
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Idle));
    play.world.clock.advance(Duration::from_secs(2));
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Later(..)));
    play.world.clock.advance(Duration::from_secs(4));
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Done(..)));
    play.verify(&play.link("mail_email_verify")).unwrap();
    play.world.mailer.refuse_next(1, Refusal::Never);
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Dead(..)));
    let jobs = &play.service.ports.jobs;
    let dead = block_on(jobs.list_dead_letters(None, 10)).unwrap();
    assert_eq!(dead.len(), 1);
    let (note, now) = (OperatorNote { operator: "support".to_owned(), reason: None }, play.service.ports.clock.now());
    assert!(block_on(requeue(&dead[0], &*play.service.ports.database, &note, now)).unwrap());
    play.deliver();
    assert!(play.world.mailer.templates().contains(&"registration"));
}

#[test]
fn after_many_tries_it_is_a_dead_letter_and_a_workers_death_loses_nothing() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    play.world.mailer.refuse_next(MAX_ATTEMPTS as usize, Refusal::Later);
    let mut tries = 0;
    loop {
        play.world.clock.advance(Duration::from_secs(3600));
        tries += 1;
        match block_on(play.service.deliveries().deliver_next()).unwrap() {
            Delivery::Later(..) => {}
            Delivery::Dead(..) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tries, MAX_ATTEMPTS);
    // claimed, then the worker dies: when the lease is over it comes again
    play.register("bob@example.com").unwrap();
    let now = play.service.ports.clock.now();
    let lost = block_on(play.service.ports.jobs.claim(now, LEASE)).unwrap().unwrap();
    assert!(matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Idle));
    play.world.mailer.take();
    play.world.clock.advance(LEASE);
    while !matches!(block_on(play.service.deliveries().deliver_next()).unwrap(), Delivery::Idle) {
        play.world.clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(play.world.mailer.last_to("bob@example.com").map(|sent| sent.job), Some(lost.id));
}

#[test]
fn one_mail_a_minute_five_from_a_network_twenty_in_all_then_one_an_hour() {
    let play = Play::new();
    play.register(EMAIL).unwrap();
    play.register(EMAIL).unwrap();
    play.deliver();
    assert_eq!(play.world.mailer.take().len(), 2);
    // each network is another /24
    let resend = |network: u8| {
        let client = Client::new([10, 9, network, 1].into(), "Other/1.0");
        block_on(play.service.registrations().resend_verification(&play.realm, EMAIL, &client)).unwrap();
        play.deliver();
        play.world.mailer.take().len()
    };
    assert_eq!(resend(1), 0, "one mail of a kind and registration a minute");
    let mut sent = Vec::new();
    for _ in 0..5 {
        play.world.clock.advance(Duration::from_secs(61));
        sent.push(resend(1));
    }
    assert_eq!(sent, [2, 2, 1, 0, 0], "five from one network");
    let mut total = 7;
    for network in 2..=20 {
        play.world.clock.advance(Duration::from_secs(61));
        total += resend(network);
    }
    assert_eq!(total, 20, "twenty in all");
    // then one an hour, without another request, for the registration that is the newest by then
    play.register(EMAIL).unwrap();
    play.deliver();
    assert!(play.world.mailer.take().is_empty());
    let newest = play.world.registrations.all().into_iter().max_by_key(|one| one.created_at).unwrap();
    let was_mailed = || play.world.tokens.all().iter().any(|token| token.holder.subject == newest.id);
    assert!(!was_mailed());
    play.world.clock.advance(Duration::from_secs(3600));
    play.deliver();
    assert_eq!((play.world.mailer.take().len(), was_mailed()), (1, true));
    play.world.clock.advance(Duration::from_secs(3600));
    play.deliver();
    assert!(play.world.mailer.take().is_empty(), "nobody has asked again");
    assert_eq!(resend(99), 1);
    assert_eq!(resend(98), 0);
    // five may wait for an address, more answer alike and send nothing
    for _ in 0..10 {
        play.register("full@example.com").unwrap();
    }
    play.deliver();
    assert_eq!(play.world.mailer.sent_to("full@example.com").len(), 5);
}

#[test]
fn a_reset_waits_while_the_budget_is_spent_and_notices_do_not() {
    let play = Play::new();
    let pair = play.user_at("bob@example.com");
    for network in 1..=25 {
        play.world.clock.advance(Duration::from_secs(61));
        let client = Client::new([10, 9, network, 1].into(), "Other/1.0");
        block_on(play.service.passwords().request_reset(&play.realm, "bob@example.com", &client)).unwrap();
        play.deliver();
    }
    play.world.mailer.take();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.passwords().change_password(&caller, PASSWORD, super::OTHER, &play.client)).unwrap();
    play.deliver();
    let of_bob = || {
        let sent = play.world.mailer.sent_to("bob@example.com");
        sent.iter().map(|mail| mail.message.template()).collect::<Vec<_>>()
    };
    assert_eq!(of_bob(), ["password_changed"]);
    play.world.clock.advance(Duration::from_secs(3600));
    play.deliver();
    assert_eq!(of_bob(), ["password_changed", "mail_password_reset"]);
}

#[test]
fn a_job_of_a_deleted_account_is_dropped() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    let pair =
        block_on(play.service.passwords().change_password(&caller, PASSWORD, super::OTHER, &play.client)).unwrap();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.accounts().delete_account(&caller, Reauthentication::None)).unwrap();
    play.world.mailer.take();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    block_on(play.service.registrations().resend_verification(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    assert_eq!(play.world.mailer.templates(), ["account_deleted"]);
}

#[test]
fn a_mail_to_an_unproven_address_shows_nothing_that_its_sender_chose() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    let to = ProfileChanges {
        first_name: Some("Win a prize"),
        email: Some("stranger@example.net"),
        ..ProfileChanges::default()
    };
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
    play.deliver();
    for (address, template) in [(EMAIL, "mail_email_verify"), ("stranger@example.net", "email_change_confirm")] {
        let sent = play.world.mailer.sent_to(address);
        let mail = sent.iter().find(|mail| mail.message.template() == template).expect("it was sent");
        let printed = format!("{:?}", mail.message);
        assert!(!printed.contains("first_name") && !printed.contains("Ada"), "{printed}");
    }
    let told = play.world.mailer.last_to("stranger@example.net").unwrap();
    assert_eq!(told.message.template(), "email_change_confirm", "no other mail went there");
}

#[test]
fn an_account_asks_for_three_email_changes_a_day() {
    let play = Play::new();
    let pair = play.user();
    let caller = || play.caller(&pair).unwrap();
    let ask = |email: &str| {
        let to = ProfileChanges { email: Some(email), ..ProfileChanges::default() };
        let password = Reauthentication::None;
        block_on(play.service.accounts().update_profile(&caller(), to, None, Vec::new(), password))
    };
    ask("one@example.net").unwrap();
    ask("two@example.net").unwrap();
    // asked for once more, its mail counts too; taking it back and what is refused do not
    ask("two@example.net").unwrap();
    ask(EMAIL).unwrap();
    assert!(ask("no address").is_err());
    let Err(AuthError::TooMany(wait)) = ask("three@example.net") else { panic!("the fourth is refused") };
    assert!(wait > Duration::from_secs(3600) && wait <= Duration::from_secs(86_400));
    assert!(matches!(ask("two@example.net"), Err(AuthError::TooMany(_))));
    let name = ProfileChanges { first_name: Some("Augusta"), ..ProfileChanges::default() };
    block_on(play.service.accounts().update_profile(&caller(), name, None, Vec::new(), Reauthentication::None))
        .unwrap();
    play.world.clock.advance(wait);
    let pair = play.log_in(EMAIL, PASSWORD).unwrap();
    let to = ProfileChanges { email: Some("three@example.net"), ..ProfileChanges::default() };
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.accounts().update_profile(&caller, to, None, Vec::new(), Reauthentication::None)).unwrap();
}

/// Deletes the account, with its notice still in the queue.
fn deleted() -> Play {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    play.deliver();
    block_on(play.service.accounts().delete_account(&caller, Reauthentication::None)).unwrap();
    play
}

#[test]
fn the_notice_of_a_deletion_has_its_address_sealed_in_the_job() {
    let play = deleted();
    let jobs = play.world.jobs.waiting();
    assert!(!format!("{jobs:?}").contains(EMAIL), "the address is sealed");
    play.deliver();
    let told = play.world.mailer.last_to(EMAIL).unwrap();
    assert_eq!(told.message.template(), "account_deleted");
    assert!(play.world.jobs.waiting().is_empty());
}

#[test]
fn a_notice_of_a_deletion_is_tried_for_a_day_and_is_no_dead_letter() {
    for refusal in [Refusal::Later, Refusal::Never] {
        let play = deleted();
        play.world.mailer.refuse_next(100, refusal);
        let mut waited = Duration::ZERO;
        while !play.world.jobs.waiting().is_empty() {
            play.deliver();
            play.world.clock.advance(Duration::from_secs(3600));
            waited += Duration::from_secs(3600);
            assert!(waited <= Duration::from_secs(25 * 3600), "it goes after a day");
        }
        assert!(block_on(play.service.ports.jobs.list_dead_letters(None, 9)).unwrap().is_empty());
        assert!(play.world.mailer.sent_to(EMAIL).iter().all(|mail| mail.message.template() != "account_deleted"));
    }
    // a worker that was away for a day finds it too old
    let play = deleted();
    play.world.clock.advance(Duration::from_secs(24 * 3600));
    play.deliver();
    assert!(play.world.jobs.waiting().is_empty());
    assert!(play.world.mailer.sent_to(EMAIL).iter().all(|mail| mail.message.template() != "account_deleted"));
}

#[test]
fn an_export_and_an_ended_session_send_notices_without_a_link() {
    let play = Play::new();
    let pair = play.user();
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.accounts().export(&caller)).unwrap();
    block_on(play.service.sessions().end_session(&caller, &other.session.to_string())).unwrap();
    play.deliver();
    let sent = play.world.mailer.sent_to(EMAIL);
    for template in ["data_exported", "session_ended"] {
        let mail = sent.iter().find(|mail| mail.message.template() == template).expect("the owner is told");
        assert!(mail.link_token().is_none());
    }
}
