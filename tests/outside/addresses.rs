//! An address is valid exactly if mail goes to it: valid, almost valid and hostile texts through the real mailer to a
//! mail server, with and without SMTPUTF8.

use std::sync::Arc;

use portcullis_adapters::messaging::links::LinkBuilder;
use portcullis_adapters::messaging::smtp::{Protection, SmtpMailer, SmtpSettings};
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_core::model::email::Email;
use portcullis_core::model::locale::Locale;
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::mailer::{Envelope, Mailer as _, SendError};
use portcullis_testkit::samples::{job_id, name, realm, user_id};
use portcullis_testkit::strategies::{almost_email, email_text, hostile};
use portcullis_tests::smtp_server::{PASSWORD, SmtpServer, USER};
use portcullis_tests::{Person, TestServer};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

/// The capabilities of mail servers.
const SERVERS: [&[&str]; 4] = [&[], &["8BITMIME"], &["SMTPUTF8"], &["8BITMIME", "SMTPUTF8"]];

fn mailer(server: &SmtpServer) -> SmtpMailer {
    let settings = SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: server.address.port(),
        protection: Protection::Tls,
        validate_certificates: false,
        ca_file: None,
        credentials: Some((USER.to_owned(), SecretString::new(PASSWORD.to_owned()))),
        from: "auth@bücher.example".to_owned(),
        from_name: "Portcullis".to_owned(),
        hello: "auth.example.com".to_owned(),
    };
    let links = LinkBuilder::new("https://auth.example.com".to_owned(), "Portcullis".to_owned(), None);
    SmtpMailer::new(settings, Arc::new(Renderer::new(None).unwrap()), links).unwrap()
}

async fn send(mailer: &SmtpMailer, to: &Email) -> Result<(), SendError> {
    let envelope =
        Envelope { realm: realm("User1"), subject: user_id(1), job: job_id(1), part: 0, locale: Locale::default() };
    mailer.send(&envelope, to, &EmailMessage::Welcome { first_name: name("Ada") }).await
}

/// Dot-string or quoted-string at a domain of A-labels (RFC 5321, section 4.1.2), by a grammar of the test's own.
fn is_mailbox(text: &str) -> bool {
    let (local, domain) = text.rsplit_once('@').unwrap();
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    let dot_string = local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext));
    let quoted = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).is_some_and(|inner| {
        let rest = inner.replace("\\\\", "").replace("\\\"", "");
        !rest.contains(['"', '\\']) && rest.chars().all(|c| !c.is_control())
    });
    let label = |label: &str| {
        let ldh = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && ldh && !label.starts_with('-') && !label.ends_with('-')
    };
    (dot_string || quoted) && local.len() <= 64 && text.len() <= 254 && domain.split('.').all(label)
}

const REPORTED: [&str; 12] = [
    "x@bücher.example",
    "\"a..b\"@docomo.ne.jp",
    "\"x y\"@example.com",
    "\"a<b>c\"@example.com",
    "\"a@b\"@example.com",
    "\"q\\\"\\\\\"@example.com",
    "\" \"@example.com",
    "\"abc\"@example.com",
    "o'brien+tag@example.com",
    "नमस्ते@example.com",
    "é@bücher.example",
    "\"é è\"@example.com",
];

#[tokio::test]
async fn every_address_that_is_accepted_is_sent_to() {
    let mut runner = TestRunner::deterministic();
    let mut texts: Vec<String> = REPORTED.map(str::to_owned).into();
    for _ in 0..60 {
        for strategy in [email_text(), almost_email(), hostile(), hostile().prop_map(|t| format!("{t}@x.org")).boxed()]
        {
            texts.push(strategy.new_tree(&mut runner).unwrap().current());
        }
    }
    for offered in SERVERS {
        let server = SmtpServer::start(true).await;
        server.offer(offered);
        let mailer = mailer(&server);
        let smtputf8 = mailer.offers_smtputf8().await.unwrap();
        assert_eq!(smtputf8, offered.len() == 2);
        let mut sent = 0;
        for text in &texts {
            let Ok(email) = Email::parse_recipient(text, smtputf8) else { continue };
            if let Err(error) = send(&mailer, &email).await {
                panic!("{text:?} is accepted and was not sent to: {error:?}");
            }
            sent += 1;
            let mail = server.taken().pop().unwrap();
            let [to] = &mail.to[..] else { panic!("{text:?}: {:?}", mail.to) };
            assert_eq!((server.taken().len(), mail.smtputf8), (sent, !to.is_ascii()), "{text:?}");
            assert!(is_mailbox(to), "{text:?}: {to:?}");
            assert_eq!(Email::parse(to).unwrap(), email, "{text:?}: {to:?}");
            assert_eq!(mail.from, "auth@xn--bcher-kva.example");
            assert!(smtputf8 || mail.data.is_ascii(), "{text:?}");
            let head = mail.data.replace("\r\n ", " ");
            assert!(head.lines().any(|line| line == format!("To: {to}")), "{text:?}: {head}");
        }
        assert!(sent > 40, "{sent}");
    }
}

#[tokio::test]
async fn an_address_beyond_ascii_waits_while_the_server_offers_no_smtputf8() {
    let server = SmtpServer::start(true).await;
    let mailer = mailer(&server);
    let email = Email::parse("नमस्ते@example.com").unwrap();
    for offered in [&SERVERS[0], &SERVERS[1], &SERVERS[2]] {
        server.offer(offered);
        let refused = send(&mailer, &email).await;
        assert!(matches!(&refused, Err(SendError::Later(reason)) if reason.contains("SMTPUTF8")), "{refused:?}");
    }
    assert!(server.taken().is_empty());
    assert!(send(&mailer, &Email::parse("ada@example.com").unwrap()).await.is_ok());
}

fn settings(server: &SmtpServer) -> Vec<(String, String)> {
    let pairs = [
        ("MAIL_SERVER", "127.0.0.1".to_owned()),
        ("MAIL_PORT", server.address.port().to_string()),
        ("MAIL_USERNAME", USER.to_owned()),
        ("MAIL_PASSWORD", PASSWORD.to_owned()),
        ("MAIL_FROM", "auth@example.com".to_owned()),
        ("VALIDATE_CERTS", "false".to_owned()),
        ("MAIL_SMTPUTF8", "on".to_owned()),
        ("ENVIRONMENT", "development".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

#[tokio::test]
async fn a_person_with_an_address_of_their_own_script_gets_the_mail() {
    let smtp = SmtpServer::start(false).await;
    smtp.offer(&["8BITMIME", "SMTPUTF8"]);
    let settings = settings(&smtp);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let server = TestServer::start_with(&settings).await;
    let api = server.realm("User1");
    let _ = api.logged_in(&Person::named("नमस्ते@bücher.example")).await;
    assert!(smtp.taken().iter().all(|mail| mail.to == ["नमस्ते@xn--bcher-kva.example"]));

    let server = TestServer::start().await;
    let refused = server.realm("User1").post("/create", &Person::named("नमस्ते@example.com").form).await.expect(422);
    assert_eq!(refused.json()["errors"][0]["field"], "email");
}

#[tokio::test]
async fn start_and_doctor_ask_the_mail_server_for_smtputf8() {
    let smtp = SmtpServer::start(false).await;
    let folder = tempfile::tempdir().unwrap();
    let call = async |arguments: &'static [&'static str]| {
        let (folder, settings) = (folder.path().to_owned(), settings(&smtp));
        let called = move || portcullis_tests::process::call(&folder, &settings, arguments);
        tokio::task::spawn_blocking(called).await.unwrap()
    };
    let (code, _, complaint) = call(&["serve"]).await;
    assert!(code == 1 && complaint.contains("MAIL_SMTPUTF8: the mail server does not offer SMTPUTF8"), "{complaint}");
    let (code, report, _) = call(&["doctor"]).await;
    assert!(code == 1 && report.contains("MAIL_SMTPUTF8"), "{report}");
    smtp.offer(&["8BITMIME", "SMTPUTF8"]);
    let (code, report, _) = call(&["doctor"]).await;
    assert!(code == 0, "{report}");
}
