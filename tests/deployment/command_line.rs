//! `portcullis doctor` and `migrate` on servers: the reports about certificates, and that none contains a password.

use portcullis_tests::record_macs;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_test_services::mongodb::primary_of;
use portcullis_tests::on_servers;
use portcullis_tests::process::{call, command};
use portcullis_tests::smtp_server::{PASSWORD, SmtpServer, USER};
use portcullis_tests::tls_proxy::Authority;
use serde_json::Value;

type Settings = Vec<(String, String)>;

fn of(settings: &Settings, name: &str) -> String {
    settings.iter().find(|(other, _)| other == name).unwrap().1.clone()
}

fn with(settings: &Settings, more: &[(&str, &str)]) -> Settings {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings.iter().cloned().chain(more).collect()
}

/// The failed checks of `doctor`, by the thing that they check.
fn wrong(folder: &Path, settings: &Settings) -> BTreeMap<String, String> {
    let (code, out, error) = call(folder, settings, &["doctor", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let wrong: BTreeMap<String, String> = all
        .iter()
        .filter(|finding| finding["ok"] == false)
        .map(|finding| (finding["what"].as_str().unwrap().to_owned(), finding.to_string()))
        .collect();
    assert_eq!(code, i32::from(!wrong.is_empty()), "{out}{error}");
    wrong
}

async fn drop_database(settings: &Settings) {
    let (url, database) = (of(settings, "MONGO_URL"), of(settings, "MONGO_DB"));
    let mongo = MongoDbSettings { url, database, validate_certificates: true, ca_file: None };
    MongoDb::connect(&mongo, &record_macs::of_ring(&[1])).await.unwrap().drop_database().await.unwrap();
}

fn address(url: &str) -> SocketAddr {
    url.split("://").nth(1).unwrap().trim_end_matches('/').parse().unwrap()
}

pub async fn certificates_must_be_good_unless_told_otherwise() {
    let (folder, servers) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let (authority, smtp) = (Authority::new(), SmtpServer::start(false).await);
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    std::fs::write(folder.path().join("other.pem"), Authority::new().pem).unwrap();
    for (name, is_right) in [("127.0.0.1", true), ("elsewhere.example.com", false)] {
        let mongo = authority.before(primary_of(&of(&servers, "MONGO_URL")).unwrap(), name).await;
        let redis = authority.before(address(&of(&servers, "REDIS_URL")), name).await;
        let mail = authority.before(smtp.address, name).await;
        let settings = vec![
            ("MONGO_URL".to_owned(), format!("mongodb://{mongo}/?tls=true&directConnection=true")),
            ("MONGO_DB".to_owned(), of(&servers, "MONGO_DB")),
            ("REDIS_URL".to_owned(), format!("rediss://{redis}")),
            ("MAIL_SERVER".to_owned(), "127.0.0.1".to_owned()),
            ("MAIL_PORT".to_owned(), mail.port().to_string()),
            ("MAIL_SSL_TLS".to_owned(), "true".to_owned()),
            ("MAIL_STARTTLS".to_owned(), "false".to_owned()),
            ("USE_CREDENTIALS".to_owned(), "false".to_owned()),
            ("MAIL_FROM".to_owned(), "auth@example.com".to_owned()),
        ];
        let all = ["database", "mail", "redis"];
        for unknown in [with(&settings, &[]), with(&settings, &[("TLS_CA_FILE", "other.pem")])] {
            let wrong = wrong(folder.path(), &unknown);
            assert_eq!(wrong.keys().collect::<Vec<_>>(), all, "{wrong:?}");
            for told in wrong.values() {
                assert!(
                    told.contains("no trusted authority signed its certificate") && told.contains("TLS_CA_FILE"),
                    "{told}"
                );
            }
        }
        let known = wrong(folder.path(), &with(&settings, &[("TLS_CA_FILE", "ca.pem")]));
        if is_right {
            assert_eq!(known, BTreeMap::new());
        } else {
            assert_eq!(known.keys().collect::<Vec<_>>(), all, "{known:?}");
            for told in known.values() {
                let cause = "its certificate is for another name";
                assert!(told.contains(cause) && told.contains("a name that is in the certificate"), "{told}");
            }
        }
        assert_eq!(wrong(folder.path(), &with(&settings, &[("VALIDATE_CERTS", "false")])), BTreeMap::new());
    }
}

pub async fn doctor_says_what_to_type() {
    let (folder, servers) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let smtp = SmtpServer::start(false).await;
    let port = smtp.address.port().to_string();
    let mail = [
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", port.as_str()),
        ("MAIL_USERNAME", USER),
        ("MAIL_FROM", USER),
        ("VALIDATE_CERTS", "false"),
    ];
    let settings = with(&servers, &mail);
    assert_eq!(wrong(folder.path(), &with(&settings, &[("MAIL_PASSWORD", PASSWORD)])), BTreeMap::new());
    let broken = with(
        &settings,
        &[
            ("MAIL_PASSWORD", "s3cret-and-wrong"),
            ("MONGO_URL", "mongodb://me:s3cret@127.0.0.1:9/"),
            ("REDIS_URL", "redis://me:s3cret@127.0.0.1:9"),
            ("TWILIO_SID", "AC1"),
            ("TWILIO_AUTH_TOKEN", "s3cret-token"),
            ("TWILIO_NUMBER", "+15005550006"),
            ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
            ("Account_id", "a"),
            ("Access_token", "s3cret-key"),
            ("WATCHMAN_URL", "http://127.0.0.1:9"),
        ],
    );
    let wrong = wrong(folder.path(), &broken);
    assert_eq!(wrong.keys().collect::<Vec<_>>(), ["database", "mail", "redis", "sms", "watchman"], "{wrong:?}");
    assert!(wrong["mail"].contains("(535)") && wrong["mail"].contains("correct MAIL_USERNAME"), "{}", wrong["mail"]);
    assert!(wrong["database"].contains("MONGO_URL: no MongoDB server"), "{}", wrong["database"]);
    let (_, out, error) = call(folder.path(), &broken, &["doctor"]);
    assert!(out.contains("WRONG  redis") && out.contains("fix ") && error.contains("5 problems"), "{out}{error}");
    assert!(!format!("{wrong:?}{out}{error}").contains("s3cret"), "{wrong:?}");
}

pub async fn migrate_makes_what_is_missing_once() {
    let (folder, servers) = (tempfile::tempdir().unwrap(), on_servers().unwrap());
    let (code, out, error) = call(folder.path(), &servers, &["migrate"]);
    assert!(code == 0 && out.contains("schema 2") && !out.contains("; 0 of"), "{out}{error}");
    let (code, out, error) = call(folder.path(), &servers, &["migrate"]);
    assert!(code == 0 && out.contains("; 0 of"), "{out}{error}");
    for said in ["was made, with schema 15", "is at schema 15"] {
        let (code, out, error) = call(folder.path(), &Settings::new(), &["migrate"]);
        assert!(code == 0 && out.contains(said), "{out}{error}");
    }
    drop_database(&servers).await;
}

pub async fn no_password_reaches_the_log_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let settings: Settings = [
        ("LOG_LEVEL", "trace"),
        ("PORT", "0"),
        ("MONGO_URL", "mongodb://me:s3cret-a@127.0.0.1:9/"),
        ("REDIS_URL", "redis://me:s3cret-b@127.0.0.1:9"),
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", "9"),
        ("MAIL_USERNAME", "me@example.com"),
        ("MAIL_PASSWORD", "s3cret-c"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    // with the database away a start waits and says so
    let mut child = command(folder.path(), &settings).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut log = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !log.contains("trying for") {
        assert!(lines.read_line(&mut log).unwrap() > 0, "{log}");
    }
    child.kill().unwrap();
    lines.read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(log.contains("MONGO_URL") && !log.contains("s3cret"), "{log}");
    // with Redis and mail away it runs
    let embedded: Settings = settings.into_iter().filter(|(name, _)| name != "MONGO_URL").collect();
    let mut child = command(folder.path(), &embedded).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = banner.find_map(|line| line.ok().filter(|line| line.contains("listens on"))).unwrap();
    let address = line.split("http://").nth(1).unwrap().trim().parse().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut log = String::new();
        lines.read_to_string(&mut log).map(|_| log)
    });
    let health = portcullis_tests::Api::new(address, "User1").get("//health").await.json();
    assert_eq!(
        (&health["services"]["redis"], &health["services"]["email"]),
        (&"unhealthy".into(), &"unhealthy".into())
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let log = reading.join().unwrap().unwrap();
    assert!((log.contains("DEBUG") || log.contains("TRACE")) && !log.contains("s3cret"), "{log}");
}
