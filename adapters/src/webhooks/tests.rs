//! URLs and addresses that a webhook may have, and the events that become messages.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::job::Task;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::{EventKinds, Webhook, WebhookEvent};
use portcullis_core::ports::audit_log::AuditLog as _;
use portcullis_core::ports::database::{Change, Database as _, Refusal, UnitOfWork};
use portcullis_core::ports::webhook_sender::WebhookSender as _;
use portcullis_testkit::faults::Script;
use portcullis_testkit::samples::{NOW, person, realm, user_id};
use portcullis_testkit::world::TestWorld;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::fan_out::{FanOutPorts, WebhookFanOut};
use super::network_guard::{AllowedNetworks, ForbiddenAddress, GuardedResolver, SystemResolver};
use super::sender::{HttpWebhookSender, WebhookSettings};

fn allowed(networks: &[&str]) -> AllowedNetworks {
    AllowedNetworks(networks.iter().map(|net| net.parse().unwrap()).collect())
}

fn sender(networks: &[&str], plain_http: bool) -> HttpWebhookSender {
    let settings = WebhookSettings { allowed: allowed(networks), plain_http };
    HttpWebhookSender::new(settings, Arc::new(SystemResolver), TestWorld::new(1).clock).unwrap()
}

const INSIDE: [&str; 45] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

const PUBLIC: [&str; 8] = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
];

#[test]
fn addresses_that_are_not_public_are_forbidden() {
    for text in INSIDE {
        assert!(!allowed(&[]).contain(text.parse().unwrap()), "{text}");
    }
    for text in PUBLIC {
        assert!(allowed(&[]).contain(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn the_operator_allows_networks_and_no_others() {
    let ours = allowed(&["10.1.2.0/24", "fd00:7::/64", "127.0.0.1/32"]);
    for text in ["10.1.2.9", "::ffff:10.1.2.9", "64:ff9b::a01:209", "fd00:7::1", "127.0.0.1", "8.8.8.8"] {
        assert!(ours.contain(text.parse().unwrap()), "{text}");
    }
    for text in ["10.1.3.9", "fd00:8::1", "127.0.0.2", "169.254.169.254"] {
        assert!(!ours.contain(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn a_url_has_a_public_host_and_no_credentials() {
    let sender = sender(&[], false);
    for good in ["https://receiver.example/hook?a=1", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"] {
        assert_eq!(sender.check_url(good), Ok(()), "{good}");
    }
    let bad = [
        "",
        "receiver.example",
        "http://receiver.example/",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "https://user@receiver.example/",
        "https://user:secret@receiver.example/",
        "https://receiver.example@127.0.0.1/",
        "https://receiver.example/#part",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "https://\u{ff11}27.0.0.1/",
        "https://127\u{3002}0\u{3002}0\u{3002}1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://api.localhost/",
    ];
    for bad in bad {
        assert!(sender.check_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn local_receivers_need_both_settings() {
    assert!(sender(&["127.0.0.0/8"], false).check_url("http://127.0.0.1:8000/").is_err());
    assert!(sender(&[], true).check_url("http://127.0.0.1:8000/").is_err());
    for good in ["http://127.0.0.1:8000/", "http://localhost:8000/", "https://127.1/"] {
        assert_eq!(sender(&["127.0.0.0/8"], true).check_url(good), Ok(()), "{good}");
    }
}

/// Answers with fixed addresses.
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve(&self, _: Name) -> Resolving {
        let all: Vec<SocketAddr> = self.0.iter().map(|address| SocketAddr::new(*address, 0)).collect();
        Box::pin(async move { Ok(Box::new(all.into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn one_forbidden_address_of_a_name_forbids_the_name() {
    let resolve = async |addresses: &[&str]| {
        let names = Arc::new(Fixed(addresses.iter().map(|text| text.parse().unwrap()).collect()));
        let guard = GuardedResolver { names, allowed: allowed(&["10.1.2.0/24"]) };
        guard.resolve("receiver.example".parse().unwrap()).await.map(Iterator::count)
    };
    assert_eq!(resolve(&["8.8.8.8", "10.1.2.3"]).await.unwrap(), 2);
    for mixed in [["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1", "8.8.8.8"], ["8.8.8.8", "fe80::1"]] {
        let refused = resolve(&mixed).await.expect_err("one of them is inside");
        assert!(ForbiddenAddress::caused(&*refused), "{mixed:?}");
    }
}

/// The fan-out over a world, with a webhook for some events.
async fn fanned_out(kinds: &str) -> (TestWorld, WebhookFanOut, Webhook) {
    let world = TestWorld::new(1);
    let ports = world.ports();
    let fan_out = WebhookFanOut::start(FanOutPorts {
        database: ports.database,
        audit: ports.audit,
        webhooks: ports.webhooks,
        clock: ports.clock,
        randomness: ports.randomness,
    });
    let webhook = Webhook {
        realm: realm("User1"),
        id: WebhookId::from_bytes([1; 16]),
        secret: person(1).key,
        old_secret: None,
        url: "https://receiver.example/".to_owned(),
        kinds: EventKinds::from_text(kinds),
        disabled: false,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    };
    let insert = UnitOfWork::of(Change::InsertWebhook(Box::new(webhook.clone())));
    fan_out.commit(insert).await.unwrap().unwrap();
    (world, fan_out, webhook)
}

fn event(of: &Realm, kind: EventKind) -> Event {
    Event { at: NOW, realm: of.clone(), kind, user: Some(user_id(1)), session: None, operator: None, detail: None }
}

fn work(of: &Realm, kinds: &[EventKind]) -> UnitOfWork {
    UnitOfWork { events: kinds.iter().map(|kind| event(of, *kind)).collect(), ..UnitOfWork::default() }
}

#[tokio::test]
async fn an_event_gets_a_job_in_its_commit_for_each_webhook_that_wants_it() {
    let (world, fan_out, webhook) = fanned_out("logged_in").await;
    let here = webhook.realm.clone();
    let both = work(&here, &[EventKind::LoggedIn, EventKind::LoggedOut]);
    fan_out.commit(both).await.unwrap().unwrap();
    fan_out.commit(work(&realm("User2"), &[EventKind::LoggedIn])).await.unwrap().unwrap();
    let [job] = world.jobs.waiting().try_into().unwrap();
    let event = WebhookEvent { kind: EventKind::LoggedIn, at: NOW, user: Some(user_id(1)), session: None };
    assert_eq!(job.task, Task::NotifyWebhook { webhook: webhook.id, event });
    // a commit that is refused, and one that fails, leave no job
    let gone = UnitOfWork {
        changes: vec![Change::RequeueJob { realm: here.clone(), id: job.id, now: NOW }],
        ..work(&here, &[EventKind::LoggedIn])
    };
    assert_eq!(fan_out.commit(gone).await.unwrap(), Err(Refusal::JobGone));
    world.faults.play(Script::next().port("database"));
    assert!(fan_out.commit(work(&here, &[EventKind::LoggedIn])).await.is_err());
    assert_eq!(world.jobs.waiting().len(), 1);
}

#[tokio::test]
async fn a_changed_webhook_is_effective_with_the_next_event() {
    let (world, fan_out, webhook) = fanned_out("*").await;
    let here = webhook.realm.clone();
    fan_out.commit(work(&here, &[EventKind::LoggedIn])).await.unwrap().unwrap();
    let disabled = Box::new(Webhook { disabled: true, version: 2, ..webhook.clone() });
    let change = Change::ReplaceWebhook { webhook: disabled, expected: 1, new_secret: false };
    fan_out.commit(UnitOfWork::of(change)).await.unwrap().unwrap();
    fan_out.commit(work(&here, &[EventKind::LoggedIn])).await.unwrap().unwrap();
    assert_eq!(world.jobs.waiting().len(), 1);
}

#[tokio::test]
async fn the_failure_of_a_delivery_causes_no_delivery() {
    let (world, fan_out, webhook) = fanned_out("*").await;
    let failures = work(&webhook.realm, &[EventKind::WebhookFailed, EventKind::WebhookTested]);
    fan_out.commit(failures).await.unwrap().unwrap();
    assert_eq!(world.jobs.waiting(), []);
}

#[tokio::test]
async fn an_event_without_a_commit_gets_its_job_later() {
    let (world, fan_out, webhook) = fanned_out("login_failed").await;
    fan_out.record(event(&webhook.realm, EventKind::LoginFailed));
    let queued = async {
        while world.jobs.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), queued).await.unwrap();
    assert_eq!(world.audit.kinds(), [EventKind::LoginFailed]);
}

#[tokio::test]
async fn events_that_find_no_place_are_counted_and_in_the_log() {
    let (world, fan_out, webhook) = fanned_out("login_failed").await;
    // the background task gets no turn meanwhile: this test has one thread
    for _ in 0..2_000 {
        fan_out.record(event(&webhook.realm, EventKind::LoginFailed));
    }
    assert_eq!(fan_out.dropped().load(Ordering::Relaxed), 2_000 - 1024);
    assert_eq!(world.audit.kinds().len(), 2_000);
}
