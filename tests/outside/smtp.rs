//! Mail over a server that is away, slow, busy or refuses: the request never notices, and the mail comes.

use std::time::{Duration, Instant};

use portcullis_core::model::job::DeadLetter;
use portcullis_tests::smtp_server::{Mail, Mood, PASSWORD, SmtpServer, USER};
use portcullis_tests::{Person, TestServer};

async fn sending(smtp: &SmtpServer, wanted: &[(&str, &str)]) -> TestServer {
    let port = smtp.address.port().to_string();
    let usual = [
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", port.as_str()),
        ("MAIL_USERNAME", USER),
        ("MAIL_PASSWORD", PASSWORD),
        ("MAIL_FROM", "auth@example.com"),
        ("VALIDATE_CERTS", "false"),
    ];
    TestServer::start_with(&[usual.as_slice(), wanted].concat()).await
}

/// Registers, as fast as ever.
async fn register(server: &TestServer, email: &str) {
    let began = Instant::now();
    let _ = server.realm("User1").post("/create", &Person::named(email).form).await.expect(201);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let reached = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), reached).await.is_ok(), "{what}");
}

async fn arrived(smtp: &SmtpServer, count: usize) -> Vec<Mail> {
    until("mail arrives", async || smtp.taken().len() >= count).await;
    smtp.taken()
}

fn header<'a>(mail: &'a Mail, name: &str) -> &'a str {
    let start = format!("{name}: ");
    mail.data.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
}

#[tokio::test]
async fn mail_goes_by_starttls_and_by_tls_with_authentication() {
    for implicit in [false, true] {
        let smtp = SmtpServer::start(implicit).await;
        let tls: &[(&str, &str)] = if implicit { &[("MAIL_SSL_TLS", "true"), ("MAIL_STARTTLS", "false")] } else { &[] };
        let server = sending(&smtp, tls).await;
        register(&server, "john.doe@example.com").await;
        let mail = arrived(&smtp, 1).await.remove(0);
        assert!(mail.encrypted, "implicit {implicit}");
        assert_eq!((mail.user.as_deref(), mail.from.as_str()), (Some(USER), "auth@example.com"));
        assert_eq!(mail.to, ["john.doe@example.com"]);
        assert!(mail.data.contains("multipart/alternative"));
        let clear = smtp.heard().0.join(" ");
        assert!(!clear.contains("AUTH") && !clear.contains("MAIL"), "{clear}");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_told_nothing() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[("VALIDATE_CERTS", "true")]).await;
    register(&server, "john.doe@example.com").await;
    until("it was tried", async || smtp.heard().0.iter().any(|line| line == "STARTTLS")).await;
    let waiting = async || server.service().ports.jobs.depth().await.unwrap().waiting == 1;
    until("the mail waits", waiting).await;
    let clear = smtp.heard().0.join(" ");
    assert!(smtp.taken().is_empty() && !clear.contains("AUTH") && !clear.contains("RCPT"), "{clear}");
}

#[tokio::test]
async fn mail_comes_after_every_kind_of_trouble() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    let moods = [Mood::Busy, Mood::Greylisting, Mood::DroppingInData, Mood::Full];
    for (number, mood) in moods.into_iter().enumerate() {
        smtp.be(mood);
        let before = smtp.heard().1;
        let email = format!("p{number}@example.com");
        register(&server, &email).await;
        until("it was tried", async || smtp.heard().1 > before).await;
        // the try is over when its retry is written down
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(smtp.taken().len(), number, "{mood:?}");
        smtp.be(Mood::Well);
        server.advance(Duration::from_secs(10));
        let mail = arrived(&smtp, number + 1).await.remove(number);
        assert_eq!(mail.to, [email], "{mood:?}");
        assert!(header(&mail, "Message-ID").starts_with('<'), "{}", mail.data);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_holds_up_nobody() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(Mood::Silent);
    for number in 0..6 {
        register(&server, &format!("p{number}@example.com")).await;
    }
    let health = server.realm("User1").get("//health").await.expect(200).json();
    assert_eq!(health["services"]["email"], "unhealthy");
    assert_eq!(health["status"], "degraded");
}

#[tokio::test]
async fn a_refusal_for_good_is_a_dead_letter_that_names_nobody() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(Mood::Refusing);
    register(&server, "john.doe@example.com").await;
    let dead = async || server.service().ports.jobs.dead(10).await.unwrap();
    until("a dead letter", async || !dead().await.is_empty()).await;
    let letters: Vec<DeadLetter> = dead().await;
    assert_eq!(letters[0].reason, "the mail server refused (550)");
    // revived, it goes
    smtp.be(Mood::Well);
    let service = server.service();
    assert!(service.ports.jobs.revive(&letters[0].job.id, service.ports.clock.now()).await.unwrap());
    let _ = arrived(&smtp, 1).await;
}
