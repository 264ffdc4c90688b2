//! The sender of webhooks against real receivers, a resolver of the test's own, and the specification's own library.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_adapters::system::clock::SystemClock;
use portcullis_adapters::webhooks::network_guard::AllowedNetworks;
use portcullis_adapters::webhooks::sender::{HttpWebhookSender, WebhookSettings};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::sealed::DataKey;
use portcullis_core::model::webhook::{WebhookEvent, print_secret};
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::mailer::SendError;
use portcullis_core::ports::webhook_sender::{WebhookAnswer, WebhookMessage, WebhookSender as _};
use portcullis_testkit::fakes::clock::FixedClock;
use portcullis_testkit::samples::{NOW, job_id, realm, session_id, user_id};
use portcullis_tests::webhook_receiver::WebhookReceiver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each question with the next list of addresses, and with the last one from then on.
struct Names {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let list = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().rev().map(list).collect()), asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() };
        let next: Vec<SocketAddr> = next.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Box::pin(async move { Ok(Box::new(next.into_iter()) as Addrs) })
    }
}

/// A sender that may reach these networks.
fn sender(allowed: &[&str], names: Arc<dyn Resolve>, clock: Arc<dyn Clock>) -> HttpWebhookSender {
    let allowed = AllowedNetworks(allowed.iter().map(|net| net.parse().unwrap()).collect());
    HttpWebhookSender::new(WebhookSettings { allowed, plain_http: true }, names, clock).unwrap()
}

fn now() -> Arc<SystemClock> {
    Arc::new(SystemClock::new())
}

fn message(url: &str, secrets: &[u8]) -> WebhookMessage {
    let clock = SystemClock::new();
    WebhookMessage {
        id: job_id(1),
        webhook: WebhookId::from_bytes([1; 16]),
        url: url.to_owned(),
        realm: realm("User1"),
        event: WebhookEvent {
            kind: EventKind::LoggedIn,
            at: clock.now(),
            user: Some(user_id(1)),
            session: Some(session_id(1)),
        },
        secrets: secrets.iter().map(|byte| DataKey::from_bytes([*byte; 32])).collect(),
    }
}

/// Counts the connections to a port of every loopback address.
async fn listener() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    (port, count)
}

#[tokio::test]
async fn the_specifications_own_library_verifies_every_secret_in_use() {
    let receiver = WebhookReceiver::start().await;
    let sender = sender(&["127.0.0.0/8"], Names::new(&[&["127.0.0.1"]]), now());
    let message = message(&receiver.url(), &[7, 8]);
    assert_eq!(sender.send(&message).await.unwrap(), WebhookAnswer::Accepted);
    let [received] = receiver.wait_for(1).await.try_into().unwrap();
    let verify = |secret: u8, body: &str| {
        let secret = print_secret(&DataKey::from_bytes([secret; 32]));
        Webhook::new(secret.expose()).unwrap().verify(body.as_bytes(), &received.headers).is_ok()
    };
    assert!(verify(7, &received.body) && verify(8, &received.body));
    assert!(!verify(9, &received.body), "another secret");
    assert!(!verify(7, &received.body.replace("logged_in", "logged_out")), "another body");
    let mut headers = received.headers.clone();
    headers.insert("webhook-id", "job_other".parse().unwrap());
    let newest = Webhook::new(print_secret(&message.secrets[0]).expose()).unwrap();
    assert!(newest.verify(received.body.as_bytes(), &headers).is_err(), "another id");
}

#[tokio::test]
async fn no_name_leads_into_the_network_of_the_server() {
    let (port, connections) = listener().await;
    let inside: [&[&str]; 9] = [
        &["127.0.0.1"],
        &["0.0.0.0"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        &["169.254.169.254"],
        &["93.184.215.14", "127.0.0.1"],
        &["127.0.0.1", "93.184.215.14"],
    ];
    for addresses in inside {
        let sender = sender(&[], Names::new(&[addresses]), now());
        let message = message(&format!("http://receiver.example:{port}/"), &[7]);
        let failed = sender.send(&message).await.expect_err("it is inside");
        assert!(failed.to_string().contains("neither public nor in WEBHOOK_ALLOW"), "{addresses:?}: {failed}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_into_the_network_of_the_server() {
    let (port, connections) = listener().await;
    let sender = sender(&[], Names::new(&[&["127.0.0.1"]]), now());
    let hosts =
        ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0", "[::]", "[::1]", "[::ffff:7f00:1]"];
    for host in hosts.into_iter().chain(["localhost", "localhost.", "api.localhost", "user@receiver.example"]) {
        let failed = sender.send(&message(&format!("http://{host}:{port}/"), &[7])).await.expect_err(host);
        assert!(matches!(failed, SendError::Never(_)), "{host}: {failed}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_changes_between_check_and_connection_reaches_nothing_else() {
    let (port, connections) = listener().await;
    // 127.0.0.2 stands for a public address, 127.0.0.1 for the network of the server
    let names = Names::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let sender = sender(&["127.0.0.2/32"], names.clone(), now());
    let message = message(&format!("http://receiver.example:{port}/"), &[7]);
    assert_eq!(sender.send(&message).await.unwrap(), WebhookAnswer::Accepted);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "the checked answer is the one that is used");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let failed = sender.send(&message).await.expect_err("the name leads inside now");
    assert!(failed.to_string().contains("neither public"), "{failed}");
    assert_eq!((names.asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, (port, connections)) = (WebhookReceiver::start().await, listener().await);
    let sender = sender(&["127.0.0.0/8"], Names::new(&[&["127.0.0.1"]]), now());
    let target = format!("http://127.0.0.1:{port}/");
    for status in [301, 302, 303, 307, 308] {
        receiver.answer(status, &[("location", &target)], Duration::ZERO);
        let failed = sender.send(&message(&receiver.url(), &[7])).await.expect_err("it is a redirect");
        assert_eq!(
            failed.to_string(),
            format!("could not be delivered now: the receiver answered {status}: redirects are not followed")
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_decide_what_happens_next() {
    let receiver = WebhookReceiver::start().await;
    let sender = sender(&["127.0.0.0/8"], Names::new(&[&["127.0.0.1"]]), now());
    let send = async |status, headers: &[(&'static str, &str)]| {
        receiver.answer(status, headers, Duration::ZERO);
        sender.send(&message(&receiver.url(), &[7])).await
    };
    for accepted in [200, 201, 202, 204] {
        assert_eq!(send(accepted, &[]).await.unwrap(), WebhookAnswer::Accepted);
    }
    assert_eq!(send(410, &[]).await.unwrap(), WebhookAnswer::Gone);
    for refused in [400, 401, 404, 422, 429, 500, 503] {
        assert!(matches!(send(refused, &[]).await, Err(SendError::Later(_))), "{refused}");
    }
    let busy = send(503, &[("retry-after", "120")]).await;
    assert!(matches!(busy, Err(SendError::After(wait, _)) if wait == Duration::from_mins(2)), "{busy:?}");
}

#[tokio::test]
async fn the_body_of_an_answer_is_not_read() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let written = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await.unwrap();
        let (mut written, chunk) = (0, vec![b'x'; 65_536]);
        // the other side closes the connection
        while stream.write_all(&chunk).await.is_ok() {
            written += chunk.len();
        }
        written
    });
    let sender = sender(&["127.0.0.0/8"], Names::new(&[&["127.0.0.1"]]), now());
    let sent = sender.send(&message(&format!("http://127.0.0.1:{port}/"), &[7])).await;
    assert_eq!(sent.unwrap(), WebhookAnswer::Accepted);
    let written = written.await.unwrap();
    assert!(written < 64 * 1024 * 1024, "{written} bytes");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_left_alone_for_half_a_minute() {
    let clock = Arc::new(FixedClock::new(NOW));
    let sender = sender(&["127.0.0.0/8"], Names::new(&[&["127.0.0.1"]]), clock.clone());
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let dead = message(&format!("http://127.0.0.1:{closed}/"), &[7]);
    let failed = sender.send(&dead).await.expect_err("nothing listens");
    assert_eq!(failed.to_string(), "could not be delivered now: the receiver: nothing listens at its port");
    let begun = Instant::now();
    let paused = sender.send(&dead).await.expect_err("it is left alone");
    assert!(matches!(paused, SendError::After(left, _) if left == Duration::from_secs(30)), "{paused:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    // others get their messages
    let receiver = WebhookReceiver::start().await;
    let other = WebhookMessage { webhook: WebhookId::from_bytes([2; 16]), ..message(&receiver.url(), &[7]) };
    assert_eq!(sender.send(&other).await.unwrap(), WebhookAnswer::Accepted);
    clock.advance(Duration::from_secs(30));
    let again = sender.send(&WebhookMessage { url: receiver.url(), ..dead }).await;
    assert_eq!(again.unwrap(), WebhookAnswer::Accepted);
}
