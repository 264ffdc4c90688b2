//! The names of metrics in the dashboard and the alert rules, compared with real scrapes.

use std::collections::BTreeSet;

use portcullis_tests::process::Process;
use portcullis_tests::smtp_server::SmtpServer;
use portcullis_tests::{Api, Person};
use reqwest::Method;
use serde_json::json;

use crate::first_start::{init, operator_token, root, start};

const TOKEN: &str = "dW4rP9xKf2ZtQ7mLj5VbY8nHc3GsA6eT";

/// The names that begin like a metric of the server.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_metric = |word: &&str| word.starts_with("portcullis_") || word.starts_with("process_");
    words.filter(is_metric).map(str::to_owned).collect()
}

/// The names of a scrape.
async fn scraped(api: &Api, token: &str) -> BTreeSet<String> {
    let text = api.with_token(token).get("//metrics").await.expect(200).text;
    names(&text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"))
}

/// Asks for two codes at once, of which the second is held.
async fn hold_a_text(api: &Api) {
    let request = json!({"id": api.verified(&Person::john()).await, "phone": "+1234567890"});
    let _ = api.post("/otp_phone", &request).await.expect(202);
    let _ = api.mail("otp", "+1234567890").await;
    let _ = api.post("/otp_phone", &request).await.expect(202);
}

pub async fn dashboard_and_alerts_name_metrics_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let _ = init(folder.path(), &["mail"]);
    let smtp = SmtpServer::start(false).await;
    let unsafe_setting = [("PASSWORD_MIN_SCORE", "1"), ("ALLOW_UNSAFE", "PASSWORD_MIN_SCORE")];
    let production = start(folder.path(), &smtp, &unsafe_setting);
    let _ = production.api.request(Method::GET, "//livez").send().await.unwrap();
    let mut existing = scraped(&production.api, &operator_token(folder.path())).await;

    let folder = tempfile::tempdir().unwrap();
    let settings = [("OPERATOR_TOKEN", TOKEN), ("RATE_LIMITS", "on"), ("SMS_COOL_DOWN", "1/5min")];
    let development = Process::start(folder.path(), &settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    hold_a_text(&development.api).await;
    let began = std::time::Instant::now();
    while !existing.contains("portcullis_texts_held_total") {
        assert!(began.elapsed().as_secs() < 20, "no text is held: {existing:?}");
        existing.extend(scraped(&development.api, TOKEN).await);
    }
    for file in ["grafana/dashboards/portcullis.json", "alerts.yaml", "alerts-test.yaml"] {
        let named = names(&std::fs::read_to_string(root().join("deploy/observability").join(file)).unwrap());
        assert!(named.len() > 5, "{file} names {named:?}");
        let unknown: Vec<&String> = named.difference(&existing).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}, which no scrape has");
    }
}
