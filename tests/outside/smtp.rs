//! Mail over a server that is away, slow, busy or refuses: the request never notices, and the mail comes.

use std::time::{Duration, Instant};

use portcullis_core::model::job::DeadLetter;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::use_cases::operator::dead_letters::requeue;
use portcullis_tests::api::token_of;
use portcullis_tests::smtp_server::{FailureMode, Mail, PASSWORD, SmtpServer, USER};
use portcullis_tests::{Person, TestServer};
use serde_json::json;

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

/// Waits until the server has failed a client once more than before.
async fn failed(smtp: &SmtpServer, before: usize) {
    until("it was tried", async || smtp.heard().1 > before).await;
}

/// The same as `arrived`, for mail that is tried again: time passes meanwhile, slowly enough for leases.
async fn recovers(server: &TestServer, smtp: &SmtpServer, count: usize) -> Vec<Mail> {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let coming = async {
        while smtp.taken().len() < count {
            ticks.tick().await;
            server.advance(Duration::from_secs(1));
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), coming).await.is_ok(), "mail comes after all");
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
async fn an_untrusted_certificate_gets_no_mail_and_no_password() {
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
async fn mail_arrives_after_every_kind_of_failure() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    let moods = [
        FailureMode::Away,
        FailureMode::Busy,
        FailureMode::Distrustful,
        FailureMode::Greylisting(usize::MAX),
        FailureMode::DroppingInData,
        FailureMode::Full,
    ];
    for (number, mood) in moods.into_iter().enumerate() {
        smtp.be(mood);
        let before = smtp.heard().1;
        let email = format!("p{number}@example.com");
        register(&server, &email).await;
        failed(&smtp, before).await;
        assert_eq!(smtp.taken().len(), number, "{mood:?}");
        smtp.be(FailureMode::Well);
        let mail = recovers(&server, &smtp, number + 1).await.remove(number);
        assert_eq!(mail.to, [email], "{mood:?}");
        assert!(header(&mail, "Message-ID").starts_with('<'), "{}", mail.data);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_delays_no_request() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(FailureMode::Silent);
    for number in 0..6 {
        register(&server, &format!("p{number}@example.com")).await;
    }
    let health = server.realm("User1").get("//health").await.expect(200).json();
    assert_eq!(health["services"]["email"], "unhealthy");
    assert_eq!(health["status"], "degraded");
}

#[tokio::test]
async fn a_permanent_refusal_is_a_dead_letter_without_an_address() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(FailureMode::Refusing);
    register(&server, "john.doe@example.com").await;
    let dead = async || server.service().ports.jobs.list_dead_letters(None, 10).await.unwrap();
    until("a dead letter", async || !dead().await.is_empty()).await;
    let letters: Vec<DeadLetter> = dead().await;
    assert_eq!(letters[0].reason, "the mail server refused (550)");
    // requeued, it goes
    smtp.be(FailureMode::Well);
    let service = server.service();
    let (note, now) = (OperatorNote { operator: "support".to_owned(), reason: None }, service.ports.clock.now());
    assert!(requeue(&letters[0], &*service.ports.database, &note, now).await.unwrap());
    let _ = arrived(&smtp, 1).await;
}

#[tokio::test]
async fn a_server_that_knows_login_only_is_spoken_to() {
    let smtp = SmtpServer::start_with(false, "LOGIN").await;
    let server = sending(&smtp, &[]).await;
    register(&server, "john.doe@example.com").await;
    assert_eq!(arrived(&smtp, 1).await[0].user.as_deref(), Some(USER));
}

#[tokio::test]
async fn greylisting_is_waited_out_try_by_try() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(FailureMode::Greylisting(3));
    register(&server, "john.doe@example.com").await;
    assert_eq!(recovers(&server, &smtp, 1).await.len(), 1);
    assert_eq!(smtp.heard().1, 3);
}

#[tokio::test]
async fn workers_leave_a_silent_server_and_mail_comes_when_it_speaks() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    smtp.be(FailureMode::Silent);
    // one for each worker
    for number in 0..4 {
        register(&server, &format!("p{number}@example.com")).await;
    }
    // those connections stay silent for ever
    until("all have connected", async || smtp.heard().1 == 4).await;
    smtp.be(FailureMode::Well);
    register(&server, "late@example.com").await;
    until("the one behind them", async || smtp.taken().iter().any(|mail| mail.to == ["late@example.com"])).await;
    assert_eq!(recovers(&server, &smtp, 5).await.len(), 5);
}

#[tokio::test]
async fn a_health_check_that_gave_up_costs_no_mail() {
    // on a new connection and on one that waits for the next message
    for used in [false, true] {
        let smtp = SmtpServer::start(false).await;
        let server = sending(&smtp, &[]).await;
        if used {
            register(&server, "first@example.com").await;
            let _ = arrived(&smtp, 1).await;
            until("it is done", async || server.service().ports.jobs.depth().await.unwrap().waiting == 0).await;
        }
        smtp.be(FailureMode::Hesitant);
        let health = server.realm("User1").get("//health").await.expect(200).json();
        assert!(!used || health["services"]["email"] == "unhealthy", "{health}");
        smtp.be(FailureMode::Full);
        let before = smtp.heard().1;
        register(&server, "john.doe@example.com").await;
        // an answer left over from the check must not be taken for the one after DATA
        failed(&smtp, before).await;
        smtp.be(FailureMode::Well);
        let mail = recovers(&server, &smtp, 1 + usize::from(used)).await.pop();
        assert_eq!(mail.unwrap().to, ["john.doe@example.com"]);
    }
}

#[tokio::test]
async fn a_notice_that_is_tried_again_keeps_its_message_id() {
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[]).await;
    let api = server.realm("User1");
    register(&server, "john.doe@example.com").await;
    let _ = arrived(&smtp, 1).await;
    let before = smtp.heard().1;
    smtp.be(FailureMode::Full);
    let token = token_of(&api.mail("mail_email_verify", "john.doe@example.com").await);
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    failed(&smtp, before).await;
    smtp.be(FailureMode::Well);
    let second = recovers(&server, &smtp, 2).await.remove(1);
    let first = smtp.turned_away().remove(0);
    assert!(header(&first, "Message-ID").ends_with("@example.com>"), "{}", first.data);
    assert_eq!(header(&first, "Message-ID"), header(&second, "Message-ID"));
}

#[tokio::test]
async fn a_name_in_the_subject_makes_no_header() {
    let templates = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(templates.path().join("emails/registration")).unwrap();
    std::fs::write(templates.path().join("emails/registration/subject.txt"), "For {{ first_name }}\n").unwrap();
    let smtp = SmtpServer::start(false).await;
    let server = sending(&smtp, &[("TEMPLATES_DIR", templates.path().to_str().unwrap())]).await;
    let api = server.realm("User1");
    let form = |email: &str, name: &str| {
        let mut form = Person::named(email).form;
        form["first_name"] = json!(name);
        form
    };
    for name in ["a\r\nBcc: v@example.com", "a\nb", "a\u{85}b", "a\u{2028}b", "a\0b"] {
        let _ = api.post("/create", &form("john.doe@example.com", name)).await.expect(422);
    }
    let long = "ü ".repeat(50);
    let encoded = "=?utf-8?Q?=0D=0ABcc:_v@example.com?=";
    let names = ["Zoë; Bcc: v@example.com", "\"a\" <v@example.com>,", "%0d%0aBcc: v@example.com", encoded, long.trim()];
    for (number, name) in names.into_iter().enumerate() {
        let email = format!("john{number}@example.com");
        let _ = api.post("/create", &form(&email, name)).await.expect(201);
        let link = token_of(&api.mail("mail_email_verify", &email).await);
        let unproven = arrived(&smtp, 2 * number + 1).await.remove(2 * number);
        assert!(
            !["Bcc: v", "Zo=C3=AB", "Zoë"].iter().any(|name| unproven.data.contains(name)),
            "no name goes to an unproven address"
        );
        let _ = api.post("/verify", &json!({"token": link})).await.expect(200);
        let mail = arrived(&smtp, 2 * number + 2).await.remove(2 * number + 1);
        assert_eq!(mail.to, [email]);
        let head = mail.data.split("\r\n\r\n").next().unwrap();
        // a line that begins with a space goes on with the one before
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| Some(line.split_once(':')?.0))
            .collect();
        let usual = ["From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Date", "Content-Type"];
        assert!(names.iter().all(|name| usual.contains(name)), "{head}");
        assert_eq!(names.iter().filter(|name| **name == "Subject").count(), 1, "{head}");
        // nor does it go out as code that a reader would turn into something else
        assert!(!head.contains(encoded), "{head}");
    }
}
