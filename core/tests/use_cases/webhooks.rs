//! Webhooks: changes and their events are one commit, secrets stay readable for their time, and messages end somewhere.

use std::time::Duration;

use super::Play;
use super::crash_points::{at_every_step, recorded, user};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::webhook::{EventKinds, Webhook, WebhookEvent, print_secret};
use portcullis_core::use_cases::operator::webhooks::{IssuedWebhook, WebhookEdit};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_testkit::faults::Script;
use portcullis_testkit::race::block_on;

const URL: &str = "https://receiver.example/";
const DAY: Duration = Duration::from_hours(24);

fn made(play: &Play) -> IssuedWebhook {
    let kinds = EventKinds::parse(["logged_in"]).unwrap();
    block_on(play.service.operators().create_webhook(&play.realm, URL, kinds)).unwrap()
}

fn stored(play: &Play) -> Option<Webhook> {
    play.world.webhooks.all().pop()
}

fn test(play: &Play, webhook: &Webhook) {
    block_on(play.service.operators().test_webhook(&play.realm, &webhook.id)).unwrap();
}

/// A use case on the webhook of a world; whether it succeeded.
type Story = fn(&Play) -> bool;

/// Stops a story at every step: the event exists exactly if the change exists.
fn is_one_commit(kind: EventKind, prepare: fn(&Play), story: Story, is_changed: fn(Option<Webhook>) -> bool) {
    let begin = || {
        let (play, pair) = user();
        prepare(&play);
        (play, pair)
    };
    at_every_step(
        begin,
        |play, _| story(play),
        |play, _, acknowledged| {
            let changed = is_changed(stored(play));
            assert!(changed || !acknowledged, "{kind:?}");
            assert_eq!(recorded(play, kind), changed, "{kind:?}");
            let waits = play.world.jobs.waiting().iter().any(|job| job.task.kind() == "webhook");
            assert!(!waits || stored(play).is_some(), "the messages of a webhook go with it");
        },
    );
}

#[test]
fn each_change_is_one_commit_with_its_event() {
    let create: Story = |play| {
        let kinds = EventKinds::parse(["*"]).unwrap();
        block_on(play.service.operators().create_webhook(&play.realm, URL, kinds)).is_ok()
    };
    let disable: Story = |play| {
        let edit = WebhookEdit { disabled: Some(true), ..WebhookEdit::default() };
        block_on(play.service.operators().change_webhook(&play.realm, &stored(play).unwrap().id, &edit)).is_ok()
    };
    let rotate: Story =
        |play| block_on(play.service.operators().rotate_webhook(&play.realm, &stored(play).unwrap().id)).is_ok();
    let delete: Story =
        |play| block_on(play.service.operators().delete_webhook(&play.realm, &stored(play).unwrap().id)).is_ok();
    let one = |play: &Play| test(play, &made(play).webhook);
    is_one_commit(EventKind::WebhookCreated, |_| {}, create, |webhook| webhook.is_some());
    is_one_commit(EventKind::WebhookChanged, one, disable, |webhook| webhook.is_some_and(|one| one.disabled));
    is_one_commit(EventKind::WebhookRotated, one, rotate, |webhook| {
        webhook.is_some_and(|one| one.old_secret.is_some())
    });
    is_one_commit(EventKind::WebhookDeleted, one, delete, |webhook| webhook.is_none());
}

#[test]
fn an_older_secret_signs_for_a_day() {
    let play = Play::new();
    let first = made(&play);
    let second = block_on(play.service.operators().rotate_webhook(&play.realm, &first.webhook.id)).unwrap();
    let secrets = || {
        test(&play, &first.webhook);
        play.deliver();
        let sent = play.world.webhook_sender.sent().pop().unwrap();
        sent.secrets.iter().map(|secret| print_secret(secret).expose().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(secrets(), [second.secret.expose(), first.secret.expose()]);
    play.world.clock.advance(Duration::from_hours(23));
    assert_eq!(secrets(), [second.secret.expose(), first.secret.expose()]);
    play.world.clock.advance(Duration::from_hours(1));
    assert_eq!(secrets(), [second.secret.expose()]);
    let third = block_on(play.service.operators().rotate_webhook(&play.realm, &first.webhook.id)).unwrap();
    assert_eq!(secrets(), [third.secret.expose(), second.secret.expose()]);
}

#[test]
fn a_message_is_tried_ten_times_in_three_days() {
    let play = Play::new();
    let webhook = made(&play).webhook;
    test(&play, &webhook);
    play.world.faults.play(Script::next().port("webhook_sender").forever());
    let (mut tries, mut days) = (0, 0);
    while !play.world.jobs.waiting().is_empty() {
        play.deliver();
        let sent = play.world.webhook_sender.faults().calls("send");
        (tries, days) = (sent, days + 1);
        play.world.clock.advance(DAY);
    }
    assert_eq!((tries, days), (10, 10), "a day is longer than every wait");
    assert!(recorded(&play, EventKind::WebhookFailed) && !recorded(&play, EventKind::MessageDead));
    let list = || block_on(play.service.operators().list_deliveries(&play.realm, &webhook.id, None, 10)).unwrap();
    let [failed] = list().try_into().unwrap();
    assert!(failed.dead.is_some() && failed.job.attempts == 10);
    play.world.faults.clear();
    assert_eq!(block_on(play.service.operators().replay_webhook(&play.realm, &webhook.id, None)).unwrap(), 1);
    play.deliver();
    let [sent] = play.world.webhook_sender.sent().try_into().unwrap();
    let event = WebhookEvent { kind: EventKind::WebhookTested, user: None, session: None, ..sent.event };
    assert_eq!((sent.id, sent.event), (failed.job.id, event));
    assert_eq!(list(), []);
}

#[test]
fn a_receiver_that_is_gone_disables_its_webhook() {
    let play = Play::new();
    let webhook = made(&play).webhook;
    play.world.webhook_sender.answer_gone();
    for _ in 0..3 {
        test(&play, &webhook);
    }
    play.deliver();
    assert!(stored(&play).unwrap().disabled);
    let kinds = play.world.audit.kinds();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::WebhookDisabled).count(), 1);
    assert_eq!(play.world.webhook_sender.faults().calls("send"), 1, "the others are dropped");
    let again = block_on(play.service.operators().test_webhook(&play.realm, &webhook.id));
    assert!(matches!(again, Err(AuthError::NotFound)));
}
