//! `portcullis doctor --production`: the checklist of docs/deployment.md.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_test_services::process::free_port;
use portcullis_tests::process::Process;
use portcullis_tests::smtp_server::SmtpServer;
use portcullis_tests::tls_proxy::Authority;
use serde_json::Value;

use crate::first_start::{init, root, server_command};

/// The findings of `doctor --production` on these settings, by their names.
fn findings(folder: &Path, smtp: &SmtpServer, more: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let output = server_command(folder, smtp, more).args(["doctor", "--production", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    all.into_iter().map(|one| (one["what"].as_str().unwrap().to_owned(), one)).collect()
}

fn wrong(found: &BTreeMap<String, Value>) -> Vec<&str> {
    found.iter().filter(|(_, one)| one["ok"] == false).map(|(name, _)| name.as_str()).collect()
}

pub async fn a_server_that_is_ready_for_production_passes() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let _ = init(folder.path(), &["mail"]);
    let smtp = SmtpServer::start(false).await;
    let (certificate, key) = authority.certificate("localhost");
    let file = |name: &str, text: &str| {
        let path = folder.path().join("secrets/portcullis").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (file("certificate.pem", &certificate), file("key.pem", &key));
    let authorities = file("authority.pem", &authority.pem);
    let port = free_port().unwrap().to_string();
    let url = format!("https://localhost:{port}");
    let settings = [
        ("PUBLIC_URL", &*url),
        ("PORT", &port),
        ("TLS_CERT_FILE", &certificate),
        ("TLS_KEY_FILE", &key),
        ("TRUSTED_PROXIES", "none"),
        ("SSL_CERT_FILE", &authorities),
    ];
    let found = findings(folder.path(), &smtp, &settings);
    assert_eq!(wrong(&found), ["1 tls"], "nothing listens yet");
    let _server = Process::spawn(server_command(folder.path(), &smtp, &settings));
    let found = findings(folder.path(), &smtp, &settings);
    assert_eq!(wrong(&found), Vec::<&str>::new(), "{found:#?}");
    // each numbered point of the page
    let page = std::fs::read_to_string(root().join("docs/deployment.md")).unwrap();
    let (_, list) = page.split_once("## Every deployment").unwrap();
    let list = list.split("\n## ").next().unwrap();
    let points = (1..100).take_while(|number| list.contains(&format!("\n{number}. **"))).count();
    for number in 1..=points {
        assert!(found.keys().any(|name| name.starts_with(&format!("{number} "))), "{number} is not checked");
    }
    assert!(points >= 8 && !found.keys().any(|name| name.starts_with(&format!("{} ", points + 1))), "{found:?}");
    // a certificate of an authority that is not known
    let found = findings(folder.path(), &smtp, &settings[..5]);
    assert_eq!(wrong(&found), ["1 tls"]);
    assert!(found["1 tls"]["saw"].as_str().unwrap().contains("certificate"), "{:?}", found["1 tls"]);
}

pub async fn what_is_missing_is_named_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    let _ = init(folder.path(), &["mail"]);
    let smtp = SmtpServer::start(false).await;
    let none = [
        ("TRUSTED_PROXIES", "none"),
        ("PUBLIC_URL", "https://localhost:1"),
        ("MAX_CONNECTIONS", "1000000"),
        ("HASH_THREADS", "64"),
        ("ARGON2_MEMORY_KIB", "1048576"),
    ];
    let found = findings(folder.path(), &smtp, &none);
    assert_eq!(wrong(&found), ["1 tls", "2 proxies", "8 memory"], "{found:#?}");
    assert!(found["2 proxies"]["fix"].as_str().unwrap().contains("TRUSTED_PROXIES"));
    let found =
        findings(folder.path(), &smtp, &[("TRUSTED_PROXIES", "10.0.0.0/8"), ("PUBLIC_URL", "https://localhost:1")]);
    assert_eq!(wrong(&found), ["1 tls", "2 proxies"]);
    assert!(found["2 proxies"]["saw"].as_str().unwrap().contains("10.0.0.0/8"));
}
