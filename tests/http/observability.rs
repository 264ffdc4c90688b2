//! Metrics and the log, as an operator reads them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use portcullis_tests::process::binary;
use portcullis_tests::{Person, TestServer};
use serde_json::{Value, json};

const OPERATOR: &str = "Vb7kQ2xN9mR4tY8wZ3cF6hJ1pD5sG0aL";

/// Also left under `target/` for promtool, which `cargo xtask promtool` runs.
#[tokio::test]
async fn metrics_tell_outcomes_and_durations_and_each_has_a_help_text() {
    let server = TestServer::start_with(&[("OPERATOR_TOKEN", OPERATOR)]).await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.logged_in(&person).await;
    let _ = api.login(&person.email, "wrong").await.expect(401);
    let _ = api.get("//nowhere").await.expect(404);
    // the second mail is sent after the answer
    server.metric(r#"portcullis_messages_total{channel="email",outcome="sent"}"#, 2).await;
    let text = api.with_token(OPERATOR).get("//metrics").await.expect(200).text;
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/metrics.txt"), &text).unwrap();
    for line in [
        r#"portcullis_logins_total{realm="User1",operation="login",outcome="success"} 1"#,
        r#"portcullis_logins_total{realm="User1",operation="login",outcome="invalid_credentials"} 1"#,
        r#"portcullis_registrations_total{realm="User1",operation="create",outcome="success"} 1"#,
        "portcullis_hash_queue_length 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in {text}");
    }
    for start in [
        r#"portcullis_http_request_duration_seconds_bucket{operation="login",realm="User1",status="200",le="0.5"}"#,
        "portcullis_hash_wait_duration_seconds_count",
        &format!(r#"portcullis_build_info{{version="{}""#, env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|shown| shown.starts_with(start)), "{start} is not in {text}");
    }
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let without: Vec<&str> = types.filter(|name| !text.contains(&format!("# HELP {name} "))).collect();
    assert!(without.is_empty(), "no help text: {without:?}");
}

/// A running server with a log in JSON.
struct Logged {
    child: std::process::Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Logged {
    fn start(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).env_clear().env("ENVIRONMENT", "development").env("PORT", "0");
        command.env("LOG_FORMAT", "json").envs(more.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = banner.find_map(|line| line.ok().filter(|line| line.contains("listens on"))).unwrap();
        let address = line.split("listens on").nth(1).unwrap().trim().to_owned();
        Self { child, address, _folder: folder }
    }

    /// The lines of requests, once the server has ended.
    fn requests(mut self) -> Vec<Value> {
        let stop = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(stop.success());
        let lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let _ = self.child.wait();
        lines.into_iter().filter(|line| line["message"] == "request").collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_says_who_asked_for_what_and_what_the_answer_was() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (proxies, trusted) in [("127.0.0.1", true), ("10.0.0.1", false)] {
        let server = Logged::start(&[("TRUSTED_PROXIES", proxies)]);
        let client = reqwest::Client::new();
        let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let ask = async |path: &str| {
            let request = client.get(format!("{}{path}", server.address)).header("x-request-id", "proxy-1");
            request.header("traceparent", &traceparent).send().await.unwrap()
        };
        let shown = ask("/User1/sessions").await.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(shown == "proxy-1", trusted);
        for path in ["/health", "/no/such/path"] {
            let _ = ask(path).await;
        }
        let lines = server.requests();
        let operations: Vec<&str> = lines.iter().map(|line| line["operation"].as_str().unwrap()).collect();
        assert_eq!(operations, ["sessions", "unknown"], "health checks are DEBUG");
        let line = &lines[0];
        assert_eq!(
            (&line["realm"], &line["status"], &line["code"]),
            (&json!("User1"), &json!(401), &json!("not_authenticated"))
        );
        assert_eq!((line["request_id"].as_str().unwrap(), &line["level"]), (&*shown, &json!("INFO")));
        assert_eq!(line["trace_id"] == TRACE, trusted);
        assert!(line["duration_ms"].is_u64() && line["trace_id"].as_str().unwrap().len() == 32, "{line}");
        assert_eq!((&lines[1]["code"], lines[1].get("realm")), (&json!("not_found"), None));
    }
}
