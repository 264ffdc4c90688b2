//! The viewers and pages in a real Chromium: they render, under their own policy, and send requests only here.
//! Chromium is installed by `cargo xtask setup`; without it these tests fail.

mod demo;

use std::path::Path;
use std::process::Command;

use portcullis_tests::{Person, TestServer};
use serde_json::Value;

/// The page as Chromium renders it, and the page's network requests.
struct Seen {
    html: String,
    requests: Vec<String>,
}

fn open(url: &str) -> Seen {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("net.json");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .args(["--net-log-capture-mode=Everything", "--dump-dom", url])
        .output()
        .expect("chromium is installed: cargo xtask setup");
    let html = String::from_utf8_lossy(&output.stdout).into_owned();
    Seen { html, requests: requests(&log) }
}

/// The addresses of every request a page of ours began: the browser's own errands have another initiator.
fn requests(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).expect("a log of the network");
    let parsed: Value = serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(&format!("{}]}}", text.trim_end().trim_end_matches(','))))
        .expect("a log that can be read");
    let events = parsed["events"].as_array().cloned().unwrap_or_default();
    let of_page = |params: &Value| {
        let initiator = params["initiator"].as_str().unwrap_or_default();
        initiator.starts_with("http://127.0.0.1") || initiator.starts_with("null")
    };
    let url = |event: &Value| of_page(&event["params"]).then(|| event["params"]["url"].as_str().map(str::to_owned))?;
    events.iter().filter_map(url).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewers_show_the_api_and_load_no_foreign_file() {
    let server = TestServer::start().await;
    let base = format!("http://{}", server.address());
    for (path, marks) in [
        ("/docs", ["/{realm}/create", "/health"]),
        ("/redoc", ["Register", "Health"]),
        ("/scalar", ["Register", "Health"]),
    ] {
        let url = format!("{base}{path}");
        let seen = tokio::task::spawn_blocking(move || open(&url)).await.expect("chromium ends");
        for mark in marks {
            assert!(seen.html.contains(mark), "{path} does not show {mark}: {} bytes of page", seen.html.len());
        }
        assert!(seen.requests.iter().any(|url| url.ends_with("/openapi.json")), "{path}: {:?}", seen.requests);
        for url in &seen.requests {
            let own = url.starts_with(&base) || url.starts_with("data:") || url.starts_with("blob:");
            assert!(own, "{path} asked {url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_and_the_button_are_pages_of_their_own() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let _ = api.post("/create", &Person::john().form).await.expect(201);
    let link = api.mail("mail_email_verify", "john.doe@example.com").await["links"][0].as_str().unwrap().to_owned();
    for (url, mark) in [(format!("http://{}/dev/mailbox", server.address()), "john.doe@example.com"), (link, "<button")]
    {
        let base = format!("http://{}", server.address());
        let seen = tokio::task::spawn_blocking(move || open(&url)).await.expect("chromium ends");
        assert!(seen.html.contains(mark), "{mark}: {}", seen.html);
        assert!(seen.requests.iter().all(|url| url.starts_with(&base)), "{:?}", seen.requests);
    }
    // a browser that looked has verified nothing
    let _ = api.login("john.doe@example.com", "SecureP@ssw0rd123!").await.expect(403);
}
