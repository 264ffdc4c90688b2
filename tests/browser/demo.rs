//! The demo in a real Chromium, driven by Playwright (`demo.mjs`): the whole story, by keyboard alone, every view in both
//! themes and two widths under axe, and the same files on another host; and attacks on cookie mode (`cookies.mjs`), and tabs that share their
//! tokens (`tabs.mjs`). Passkeys of the browser (`passkeys.mjs`), and a first factor that is required (`enrolment_demo.mjs`).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode, Uri};
use portcullis_server::http::demo;
use portcullis_tests::{Person, TestServer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

/// The demo's files as any host of static files would have them: no policy but their own, their own settings.
async fn another_host() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let file = |uri: Uri| async move {
        let name = if uri.path() == "/" { "index.html" } else { uri.path().trim_start_matches('/') };
        if name == "settings.json" {
            let settings = include_str!("../../web-demo/settings.json");
            return Ok(([("content-type", "application/json")], settings).into_response());
        }
        let asset = demo::ALL.iter().find(|asset| asset.name == name).ok_or(StatusCode::NOT_FOUND)?;
        asset.response(&HeaderMap::new()).map_err(|problem| problem.status)
    };
    let _serving = tokio::spawn(axum::serve(listener, Router::new().fallback(file)).into_future());
    origin
}

/// Runs a script of this folder beside a server. The script asks for the server's clock to be moved with `advance SECONDS`.
pub async fn drive(server: &TestServer, script: &str, addresses: &[String]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(folder.join("node_modules").exists(), "the browser's driver is not installed: cargo xtask setup");
    let mut node = Command::new("node")
        .arg(script)
        .args(addresses)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed: cargo xtask setup");
    let mut answers = node.stdin.take().expect("its input");
    let mut lines = BufReader::new(node.stdout.take().expect("its output")).lines();
    while let Some(line) = lines.next_line().await.expect("text") {
        println!("{line}");
        if let Some(seconds) = line.strip_prefix("advance ") {
            server.advance(Duration::from_secs(seconds.parse().expect("seconds")));
            answers.write_all(b"done\n").await.expect("it listens");
        }
    }
    let status = node.wait().await.expect("it ends");
    assert!(status.success(), "{script} failed; pictures are in target/screenshots");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_covers_every_use_case() {
    let host = another_host().await;
    let server = TestServer::start_with(&[("CORS_ORIGINS", &host)]).await;
    drive(&server, "demo.mjs", &[format!("http://{}/", server.address()), format!("{host}/")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_mode_withstands_other_sites_and_curious_scripts() {
    let host = another_host().await;
    let server = TestServer::start_with(&[("CORS_ORIGINS", &host)]).await;
    drive(&server, "cookies.mjs", &[format!("http://{}/", server.address()), format!("{host}/")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_share_one_refresh_in_both_modes() {
    let server = TestServer::start().await;
    drive(&server, "tabs.mjs", &[format!("http://{}/", server.address())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_of_the_browser_is_added_and_logs_in() {
    let server = TestServer::start().await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let token = john.token.expect("an access token");
    let base = format!("http://localhost:{}/", server.address().port());
    drive(&server, "passkeys.mjs", &[base, token]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_is_accessible_and_works_without_script() {
    let server = TestServer::start_with(&[("APP_URL", "https://app.example.com/")]).await;
    drive(&server, "pages.mjs", &[format!("http://{}/", server.address())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_adds_a_first_factor_that_is_required() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off"), ("MFA_POLICY", "User1:required")]).await;
    drive(&server, "enrolment_demo.mjs", &[format!("http://localhost:{}/", server.address().port())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_adds_uses_renames_and_removes_passkeys() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    drive(&server, "passkey_demo.mjs", &[format!("http://localhost:{}/", server.address().port())]).await;
}
