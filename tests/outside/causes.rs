//! `portcullis doctor` names the cause of each failed connection, with a fix, as docs/troubleshooting.md lists them. Each cause
//! is brought about here.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_server::bootstrap::doctor::run_checks;
use portcullis_tests::smtp_server::{FailureMode, PASSWORD, SmtpServer, USER};
use portcullis_tests::tls_proxy::{Authority, self_signed_before};
use portcullis_tests::{TestServer, settings};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// What `portcullis doctor` says of one part.
async fn doctor(part: &str, wanted: &[(&str, &str)]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let checks = run_checks(&settings(folder.path(), wanted), Arc::new(OsRandomness)).await;
    let check = checks.into_iter().find(|check| check.what == part).unwrap();
    let wrong = check.wrong.unwrap_or_else(|| panic!("{part} is well: {}", check.saw));
    let saw = check.saw.split_once(": ").map_or(check.saw.clone(), |(_, cause)| cause.to_owned());
    (saw, wrong.fix)
}

/// Fails unless the cause is one of these, and the page has it in a row with its fix.
async fn says(part: &str, wanted: &[(&str, &str)], causes: &[&str]) {
    let (saw, fix) = doctor(part, wanted).await;
    assert!(causes.contains(&saw.as_str()), "{part}: {saw}, instead of {causes:?}");
    let plain = |text: &str| text.replace('`', "");
    let listed = PAGE.lines().any(|line| plain(line).contains(&format!("| {saw} |")) && plain(line).contains(&fix));
    assert!(listed, "docs/troubleshooting.md has no row \"| {saw} | {fix} |\"");
}

/// A port at which nothing listens.
fn closed_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that greets, answers each line by its first word, and ends with QUIT.
async fn scripted(greeting: &'static str, answers: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let _ = stream.write_all(greeting.as_bytes()).await;
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    let answer = answers.iter().find(|(word, _)| line.starts_with(word));
                    if let Some((_, answer)) = answer {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    if line.starts_with("QUIT") {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    address
}

async fn mail(address: SocketAddr, more: &[(&str, &str)], causes: &[&str]) {
    mail_at(&address.ip().to_string(), address.port(), more, causes).await;
}

async fn mail_at(host: &str, port: u16, more: &[(&str, &str)], causes: &[&str]) {
    let port = port.to_string();
    let usual = [
        ("MAIL_SERVER", host),
        ("MAIL_PORT", &*port),
        ("MAIL_USERNAME", USER),
        ("MAIL_PASSWORD", PASSWORD),
        ("MAIL_FROM", "auth@example.com"),
        ("VALIDATE_CERTS", "false"),
    ];
    says("mail", &[&usual[..], more].concat(), causes).await;
}

const PLAIN: &[(&str, &str)] = &[("MAIL_STARTTLS", "false")];
const TLS: &[(&str, &str)] = &[("MAIL_SSL_TLS", "true"), ("MAIL_STARTTLS", "false")];
const UNKNOWN_NAME: [&str; 2] =
    ["its name is not known (DNS)", "its name could not be resolved: no name server answers (DNS)"];

#[tokio::test]
async fn a_mail_server_that_cannot_be_used_is_told_by_its_cause() {
    let (plain, tls) = tokio::join!(SmtpServer::start(false), SmtpServer::start(true));
    mail_at("mail.invalid", 587, &[], &UNKNOWN_NAME).await;
    mail(closed_port(), &[], &["nothing listens at its port"]).await;
    mail(plain.address, TLS, &["it speaks no TLS at this port"]).await;
    // this one takes as long as a greeting may take
    mail(tls.address, &[], &["no greeting came in time"]).await;
    let bare = scripted("220 test\r\n", &[("EHLO", "250 test\r\n")]).await;
    mail(bare, &[], &["it offers no STARTTLS"]).await;
    mail(bare, PLAIN, &["it offers no authentication"]).await;
    let cram = scripted("220 test\r\n", &[("EHLO", "250-test\r\n250 AUTH CRAM-MD5\r\n")]).await;
    mail(cram, PLAIN, &["it offers authentication by CRAM-MD5 only; PLAIN and LOGIN are supported"]).await;
    plain.be(FailureMode::Distrustful);
    mail(plain.address, &[], &["it refuses the user name or password (535)"]).await;
    let strict = scripted("220 test\r\n", &[("EHLO", "504 need fully-qualified hostname\r\n")]).await;
    mail(strict, PLAIN, &["it refuses the name in EHLO (504)"]).await;
    mail(scripted("554 no\r\n", &[]).await, PLAIN, &["it refuses this machine at its greeting (554)"]).await;
    mail(scripted("421 busy\r\n", &[]).await, PLAIN, &["it is busy (421)"]).await;
}

#[tokio::test]
async fn a_mail_server_is_told_the_name_of_the_setting() {
    let server =
        scripted("220 test\r\n", &[("EHLO auth.example.com\r\n", "250 test\r\n"), ("EHLO", "504 who\r\n")]).await;
    let helo = [PLAIN, &[("MAIL_HELO", "auth.example.com")]].concat();
    mail(server, &helo, &["it offers no authentication"]).await;
    let by_url = [PLAIN, &[("PUBLIC_URL", "https://auth.example.com/prefix")]].concat();
    mail(server, &by_url, &["it offers no authentication"]).await;
    mail(server, &[PLAIN, &[("MAIL_HELO", "host")]].concat(), &["it refuses the name in EHLO (504)"]).await;
}

fn file(folder: &Path, pem: &str) -> String {
    let file = folder.join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_by_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let server = scripted("220 test\r\n", &[]).await;
    let authority = Authority::new();
    let checked = [TLS, &[("VALIDATE_CERTS", "true")]].concat();
    let signed = authority.before(server, "127.0.0.1").await;
    mail(signed, &checked, &["no trusted authority signed its certificate"]).await;
    let with_authority = file(folder.path(), &authority.pem);
    let trusting = [&checked[..], &[("TLS_CA_FILE", &*with_authority)]].concat();
    let elsewhere = authority.before(server, "mail.example.com").await;
    mail(elsewhere, &trusting, &["its certificate is for another name"]).await;
    let (own, pem) = self_signed_before(server, "127.0.0.1").await;
    let with_own = file(folder.path(), &pem);
    let trusting = [&checked[..], &[("TLS_CA_FILE", &*with_own)]].concat();
    let cause = "its certificate is self-signed as that of an authority, which is not accepted from a server";
    mail(own, &trusting, &[cause]).await;
}

/// A Redis with these arguments, which ends with the test.
struct RedisProcess {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl RedisProcess {
    async fn start(arguments: &[&str]) -> Self {
        let (address, folder) = (closed_port(), tempfile::tempdir().unwrap());
        let mut command = Command::new("redis-server");
        command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""]).args(arguments);
        let command = command.current_dir(folder.path()).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is installed: cargo xtask setup");
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ticks.tick().await;
        }
        Self { child, address, _folder: folder }
    }

    fn url(&self, scheme: &str, user: &str, database: &str) -> String {
        format!("{scheme}://{user}{}/{database}", self.address)
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_redis_that_cannot_be_used_is_told_by_its_cause() {
    let redis = async |url: &str, causes: &[&str]| says("redis", &[("REDIS_URL", url)], causes).await;
    redis("redis://redis.invalid:6379", &UNKNOWN_NAME).await;
    redis(&format!("redis://{}", closed_port()), &["nothing listens at its port"]).await;
    let open = RedisProcess::start(&[]).await;
    redis(&open.url("rediss", "", ""), &["it speaks no TLS at this port"]).await;
    redis(&open.url("redis", "", "99"), &["it has no database of that number"]).await;
    redis(&open.url("redis", "nobody:wrong@", ""), &["it refuses the user name or password"]).await;
    let closed = RedisProcess::start(&["--requirepass", "the-right-password"]).await;
    redis(&closed.url("redis", "", ""), &["it asks for a password"]).await;
    redis(&closed.url("redis", ":wrong@", ""), &["it refuses the user name or password"]).await;
    let encrypted = Authority::new().before(open.address, "127.0.0.1").await;
    redis(&format!("rediss://{encrypted}"), &["no trusted authority signed its certificate"]).await;
    redis(&format!("redis://{encrypted}"), &["it closed the connection"]).await;
}

#[tokio::test]
async fn a_mongodb_that_cannot_be_used_is_told_by_its_cause() {
    let mongo = async |url: &str, causes: &[&str]| says("database", &[("MONGO_URL", url)], causes).await;
    let away = "no MongoDB server that takes writes answers: nothing listens at its port";
    mongo(&format!("mongodb://{}/?serverSelectionTimeoutMS=300", closed_port()), &[away]).await;
    let names = UNKNOWN_NAME.map(|cause| format!("the servers of its mongodb+srv name: {cause}"));
    mongo("mongodb+srv://database.invalid", &names.each_ref().map(String::as_str)).await;
    mongo(
        "mongodb://user:p@ss@host",
        &["the address cannot be read: in it, user and password are percent-encoded (@ / ? : # %)"],
    )
    .await;
    let other = scripted("220 this is a mail server\r\n", &[]).await;
    mongo(
        &format!("mongodb://{other}/?tls=true&serverSelectionTimeoutMS=300"),
        &["the server: it speaks no TLS at this port"],
    )
    .await;
    let encrypted = Authority::new().before(other, "127.0.0.1").await;
    mongo(
        &format!("mongodb://{encrypted}/?tls=true&serverSelectionTimeoutMS=300"),
        &["the server: no trusted authority signed its certificate"],
    )
    .await;
}

#[tokio::test]
async fn twilio_and_watchman_that_cannot_be_used_are_told_by_their_cause() {
    let twilio = async |url: &str, causes: &[&str]| {
        let account = [
            ("TWILIO_SID", "AC0123"),
            ("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
            ("TWILIO_NUMBER", "+12025550100"),
        ];
        says("sms", &[&account[..], &[("TWILIO_BASE_URL", url)]].concat(), causes).await;
    };
    let watchman = async |url: &str, causes: &[&str]| {
        let account = [("Account_id", "account"), ("Access_token", "0123456789abcdef0123456789abcdef")];
        says("watchman", &[&account[..], &[("WATCHMAN_URL", url)]].concat(), causes).await;
    };
    let refused = format!("http://{}", closed_port());
    let plain = scripted("", &[("GET", "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n")]).await;
    let server = TestServer::start().await;
    let other = server.address();
    let encrypted = Authority::new().before(plain, "127.0.0.1").await;
    twilio(&refused, &["nothing listens at its port"]).await;
    twilio("http://twilio.invalid", &UNKNOWN_NAME).await;
    twilio(&format!("http://{plain}"), &["it refuses the account or its token (401)"]).await;
    twilio(&format!("http://{other}"), &["it knows no such account (404)"]).await;
    twilio(&format!("https://{other}"), &["it speaks no TLS at this port"]).await;
    twilio(&format!("https://{encrypted}"), &["no trusted authority signed its certificate"]).await;
    watchman(&refused, &["nothing listens at its port"]).await;
    watchman("http://watchman.invalid", &UNKNOWN_NAME).await;
    watchman(&format!("https://{encrypted}"), &["no trusted authority signed its certificate"]).await;
}
