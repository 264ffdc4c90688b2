//! The real process: starting, refusing to start, draining, and dying by kill -9 without losing what it acknowledged.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by these")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_portcullis");
/// A secret that is set by hand asks for it.
const MEANT: (&str, &str) = ("ENVIRONMENT", "development");

fn command(folder: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).env_clear().envs(environment.iter().copied());
    command.env("PORT", "0").env("ARGON2_MEMORY_KIB", "64").env("ARGON2_ITERATIONS", "1");
    command
}

/// A server process that does not outlive its test.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_to(folder, environment, Stdio::null())
    }

    fn start_with_log(folder: &Path, environment: &[(&str, &str)], log: &Path) -> Self {
        Self::start_to(folder, environment, std::fs::File::create(log).expect("a log").into())
    }

    fn start_to(folder: &Path, environment: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = command(folder, environment);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut banner = BufReader::new(stdout).lines();
        let line = banner.find_map(|line| line.ok().filter(|line| line.contains("listens on"))).expect("a banner");
        let address = line.split("http://").nth(1).expect("an address").trim().parse().expect("an address");
        Self { child, address }
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(done.success());
    }

    /// One request on a connection of its own; `None` if the server died meanwhile.
    fn request(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let length = body.len();
        let text = format!("{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let (headers, body) = answer.split_once("\r\n\r\n")?;
        let announced =
            headers.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let whole = announced.is_none_or(|length| length.parse() == Ok(body.len()));
        whole.then(|| (status, body.to_owned()))
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Option<(u16, String)> {
        self.request(&format!("POST {path} HTTP/1.1\r\ncontent-type: {kind}\r\naccept: application/json"), body)
    }

    fn create(&self, email: &str) -> Option<(u16, String)> {
        let body = format!(
            r#"{{"first_name":"A","last_name":"B","email":"{email}","phone":"+1234567890","country_code":"US","password":"kq7!Zp2#vW9x"}}"#
        );
        self.post("/User1/create", "application/json", &body)
    }

    fn login(&self, email: &str) -> Option<(u16, String)> {
        let body = format!("username={email}&password=kq7!Zp2%23vW9x");
        self.post("/User1/login", "application/x-www-form-urlencoded", &body)
    }

    /// The token of the mail to an address, if it is there yet.
    fn link(&self, email: &str) -> Option<String> {
        self.link_of(email, "mail_email_verify")
    }

    fn link_of(&self, email: &str, template: &str) -> Option<String> {
        let (_, body) = self.request("GET /dev/mailbox HTTP/1.1\r\naccept: application/json", "")?;
        let messages: Value = serde_json::from_str(&body).ok()?;
        let of = |m: &&Value| m["to"] == email && m["template"] == template;
        let link = messages.as_array()?.iter().find(of)?["links"][0].as_str()?.to_owned();
        link.split_once("token=").map(|(_, token)| token.to_owned())
    }

    /// Waits for the link of a mail.
    fn message(&self, email: &str, template: &str) -> Option<String> {
        let began = Instant::now();
        loop {
            match self.link_of(email, template) {
                None if began.elapsed() < Duration::from_secs(10) => std::thread::yield_now(),
                found => return found,
            }
        }
    }

    /// The same, if one that is not `dead` comes in time.
    fn link_but(&self, email: &str, dead: Option<&str>, patience: Duration) -> Option<String> {
        let began = Instant::now();
        loop {
            match self.link(email).filter(|link| Some(link.as_str()) != dead) {
                None if began.elapsed() < patience => std::thread::yield_now(),
                found => return found,
            }
        }
    }

    fn soon(&self, email: &str) -> Option<String> {
        self.link_but(email, None, Duration::from_millis(50))
    }

    /// Waits for the mail to an address and follows it. A mail that was being sent at a death is sent again with
    /// another link: the newest one counts. A link that was being followed at a death may be spent without an
    /// answer: then another mail is requested, once, and waited for, as a person would. Repeated requests would make
    /// each link invalid by the next.
    fn verify(&self, email: &str) -> Option<u16> {
        let follow = |token: &str| {
            let body = format!(r#"{{"token":"{token}"}}"#);
            self.post("/User1/verify", "application/json", &body).map(|(status, _)| status)
        };
        let patience = Duration::from_secs(10);
        let first = self.link_but(email, None, patience)?;
        let answered = follow(&first);
        if answered != Some(400) {
            return answered;
        }
        let body = format!(r#"{{"email":"{email}"}}"#);
        self.post("/User1/resend_verification", "application/json", &body)?;
        let mut dead = first;
        let began = Instant::now();
        loop {
            let token = self.link_but(email, Some(&dead), patience)?;
            match follow(&token) {
                // the mail of the death came between
                Some(400) if began.elapsed() < patience => dead = token,
                answered => return answered,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sets the mode of a file and returns the one before.
fn set_mode(path: &Path, mode: u32) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    let before = std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    before
}

fn refused(folder: &Path, environment: &[(&str, &str)]) -> (i32, String) {
    let output: Output = command(folder, environment).output().expect("it runs");
    (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    const ROUNDS: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let environment = [("RATE_LIMITS", "off")];
    let mut registered = Vec::new();
    let mut verified = Vec::new();
    for round in 0..ROUNDS {
        let process = Process::start(folder.path(), &environment);
        let address = process.address;
        let killer = process.child.id().to_string();
        // die at another moment each round, in the middle of the work
        let after = Duration::from_micros(u64::try_from(15_000 + round * 3_700).unwrap());
        let dying = std::thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < after {
                std::thread::yield_now();
            }
            Command::new("kill").args(["-9", &killer]).status().expect("kill");
        });
        for number in 0.. {
            let email = format!("r{round}n{number}@example.com");
            match process.create(&email) {
                Some((201, _)) => registered.push(email.clone()),
                Some((status, body)) => panic!("{status} {body} at {address}"),
                None => break,
            }
            if number % 2 == 0 {
                let Some(token) = process.soon(&email) else { continue };
                let body = format!(r#"{{"token":"{token}"}}"#);
                match process.post("/User1/verify", "application/json", &body) {
                    Some((200, _)) => verified.push(email),
                    Some((status, body)) => panic!("{status} {body}"),
                    None => break,
                }
            }
        }
        dying.join().unwrap();
    }
    assert!(registered.len() > ROUNDS, "only {} were acknowledged", registered.len());
    let process = Process::start(folder.path(), &environment);
    println!("{} registrations and {} verifications were acknowledged", registered.len(), verified.len());
    for email in &registered {
        let (status, body) = process.login(email).expect("an answer");
        if verified.contains(email) {
            assert_eq!(status, 200, "{email}: {body}");
        } else if status != 200 {
            // a pending one: its mail was not lost either
            assert!(status == 403 && body.contains("email_not_verified"), "{email}: {status} {body}");
            assert_eq!(process.verify(email), Some(200), "{email}");
            assert_eq!(process.login(email).expect("an answer").0, 200, "{email}");
        }
    }
}

#[test]
fn sigterm_finishes_what_has_begun_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), &[]);
    let mut stream = TcpStream::connect(process.address).unwrap();
    let body = "username=nobody@example.com&password=x";
    let head = format!(
        "POST /User1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // the server has the head when it answers another connection
    assert!(process.request("GET /livez HTTP/1.1", "").is_some());
    process.signal("-TERM");
    let began = Instant::now();
    while TcpStream::connect(process.address).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "it goes on accepting");
    }
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_refused_start_says_why_and_how_to_fix_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut with_port = Command::new(BINARY);
    let output = with_port.current_dir(folder.path()).env_clear().env("PORT", &port).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("PORT") && message.contains("Fix"), "{message}");

    std::fs::write(folder.path().join("broken.db"), "not a database at all ".repeat(1000)).unwrap();
    let (code, message) = refused(folder.path(), &[("DATABASE_URL", "sqlite://broken.db")]);
    assert!(code == 1 && message.contains("broken.db") && message.contains("Fix"), "{message}");
    let (code, message) = refused(folder.path(), &[("RATE_LIMIT_LOGN", "5/min"), ("REALMS", "health")]);
    assert!(code == 1 && message.contains("RATE_LIMIT_LOGN") && message.contains("REALMS"), "{message}");
    let (code, message) = refused(folder.path(), &[("ENVIRONMENT", "production")]);
    for name in ["JWT_SECRET", "ENCRYPTION_KEY", "EMAIL_SALT", "MAIL_SERVER"] {
        assert!(code == 1 && message.contains(name), "{name}: {message}");
    }
    let usage = Command::new(BINARY).arg("--no-such-flag").output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_database_knows_the_keys_it_was_written_with() {
    let folder = tempfile::tempdir().unwrap();
    drop(Process::start(folder.path(), &[]));
    let other = "Qx7fT0pZbW3kYv9sJ1hLdR5mCg8uXeA2nKoVi6tPzEw";
    let (code, message) = refused(folder.path(), &[MEANT, ("EMAIL_SALT", "pQ7xR2mV9kL4nB8wT1cY6hJ3sD5fG0zA-other")]);
    assert!(code == 1 && message.contains("EMAIL_SALT") && message.contains("Fix"), "{message}");
    let (code, message) = refused(folder.path(), &[MEANT, ("ENCRYPTION_KEY", &format!("7:{other}"))]);
    assert!(code == 1 && message.contains("ENCRYPTION_KEY") && message.contains("ring"), "{message}");
    // the old key behind a new one still opens it
    let secrets = std::fs::read_to_string(folder.path().join("data/secrets.env")).unwrap();
    let old = secrets.lines().find_map(|line| line.strip_prefix("ENCRYPTION_KEY=")).unwrap().to_owned();
    drop(Process::start(folder.path(), &[MEANT, ("ENCRYPTION_KEY", &format!("2:{other},1:{old}"))]));
}

/// The settings of a server that logs everything.
const TRACED: [(&str, &str); 5] = [
    MEANT,
    ("LOG_LEVEL", "trace"),
    ("RATE_LIMITS", "off"),
    ("SERVICE_CLIENTS", "for-the-log:hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0@User1"),
    ("OPERATOR_TOKEN", "dW4rP9xKf2ZtQ7mLj5VbY8nHc3GsA6eT"),
];

#[test]
fn the_log_has_nothing_of_a_person_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let process = Process::start_with_log(folder.path(), &TRACED, &log);
    let marks = ["Xanthippe", "Zzyzxburg", "marked-address", "4915112345678", "MarkedAgent", "Marked-Passw0rd"];
    let body = r#"{"first_name":"Xanthippe","last_name":"Zzyzxburg","email":"marked-address@example.com",
        "phone":"+4915112345678","country_code":"DE","password":"Marked-Passw0rd-7!x"}"#;
    assert_eq!(process.post("/User1/create", "application/json", body).unwrap().0, 201);
    assert_eq!(process.verify("marked-address@example.com"), Some(200));
    let form = "username=marked-address@example.com&password=Marked-Passw0rd-7!x";
    let head =
        "POST /User1/login HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\nuser-agent: MarkedAgent";
    let (status, pair) = process.request(head, form).unwrap();
    assert_eq!(status, 200);
    let pair: Value = serde_json::from_str(&pair).unwrap();
    let token = pair["access_token"].as_str().unwrap();
    let get = format!(
        "GET /User1/forget_password?email=marked-address@example.com HTTP/1.1\r\nauthorization: Bearer {token}"
    );
    assert_eq!(process.request(&get, "").unwrap().0, 202);
    for wrong in ["{\"email\":\"marked-address@example.com\"", "{\"marked-address\":1}", "\"marked-address\""] {
        let _ = process.post("/User1/create", "application/json", wrong);
    }
    let secrets = use_tokens(&process, &pair);
    process.signal("-TERM");
    let mut process = process;
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("operation=\"login\""), "the log is there");
    for mark in marks {
        let hex = mark.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let lower = text.to_lowercase();
        assert!(!lower.contains(&mark.to_lowercase()) && !lower.contains(&hex), "{mark} is in the log");
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} is in the log");
    }
}

/// Refreshes, introspects and resets; every secret that was sent or answered.
fn use_tokens(process: &Process, pair: &Value) -> Vec<String> {
    const FORM: &str = "application/x-www-form-urlencoded";
    const BASIC: &str = "Zm9yLXRoZS1sb2c6aFEzeldtOFR2NVluUjJrWDdjSjRwTDlmRDZzQjF0RzA=";
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| pair[name].as_str().unwrap().to_owned());
    let (status, renewed) =
        process.post("/User1/token", FORM, &format!("grant_type=refresh_token&refresh_token={refresh}")).unwrap();
    assert_eq!(status, 200);
    let renewed: Value = serde_json::from_str(&renewed).unwrap();
    let head = format!("POST /User1/introspect HTTP/1.1\r\ncontent-type: {FORM}\r\nauthorization: Basic {BASIC}");
    let (status, active) = process.request(&head, &format!("token={access}")).unwrap();
    assert!(status == 200 && active.contains("\"active\":true"), "{active}");
    let reset = process.message("marked-address@example.com", "mail_password_reset").expect("a reset link");
    let body = format!(r#"{{"token":"{reset}","password":"Marked-Passw0rd-8!y"}}"#);
    assert_eq!(process.post("/User1/reset_password", "application/json", &body).unwrap().0, 200);
    let [new_access, new_refresh] = ["access_token", "refresh_token"].map(|name| renewed[name].as_str().unwrap());
    let client = TRACED[3].1.split([':', '@']).nth(1).unwrap();
    let fixed = [new_access, new_refresh, BASIC, client, TRACED[4].1].map(str::to_owned);
    // the reset link is shown: the development mailbox writes messages to the log
    fixed.into_iter().chain([access, refresh]).collect()
}

#[test]
fn two_processes_do_not_share_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Process::start(folder.path(), &[]);
    let (code, message) = refused(folder.path(), &[]);
    assert!(code == 1 && message.contains("in use by another"), "{message}");
}

#[test]
fn keys_are_generated_and_good_enough_for_production() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(BINARY).args(["keys", "generate"]).output().unwrap();
    let secrets = String::from_utf8(output.stdout).unwrap();
    let more = "ENVIRONMENT=production\nTRUSTED_PROXIES=none\nAPP_DOMAIN=auth.example.com\nMAIL_SERVER=127.0.0.1\nMAIL_FROM=a@example.com\n\
                USE_CREDENTIALS=false\nALLOW_UNSAFE=ARGON2_MEMORY_KIB\n";
    std::fs::write(folder.path().join(".env"), format!("{secrets}{more}")).unwrap();
    let (code, message) = refused(folder.path(), &[]);
    let fix = format!("chmod 600 {}", folder.path().join(".env").display());
    if set_mode(&folder.path().join(".env"), 0o600) & 0o077 != 0 {
        assert!(code == 1 && message.contains(&fix), "{message}");
    }
    let process = Process::start(folder.path(), &[]);
    assert_eq!(set_mode(&folder.path().join("data"), 0o700), 0o700);
    // no development there
    for development_only in ["/dev/mailbox", "/demo", "/demo/", "/demo/app.js", "/demo/settings.json"] {
        assert_eq!(process.request(&format!("GET {development_only} HTTP/1.1"), "").unwrap().0, 404);
    }
    let (status, health) = process.request("GET /health HTTP/1.1", "").unwrap();
    let health: Value = serde_json::from_str(&health).unwrap();
    // no server listens on the mail server's port: degraded, and answering
    assert_eq!(
        (status, health["status"].as_str(), health["services"]["email"].as_str()),
        (200, Some("degraded"), Some("unhealthy"))
    );
    assert_eq!(process.create("a@example.com").unwrap().0, 201);
}

#[test]
fn operators_see_lifted_floors_and_missing_proxies() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(BINARY).args(["keys", "generate"]).output().unwrap();
    let secrets = String::from_utf8(made.stdout).unwrap();
    let token = secrets.lines().find_map(|line| line.strip_prefix("OPERATOR_TOKEN=")).unwrap().to_owned();
    let of =
        |name: &'static str| (name, secrets.lines().find_map(|line| line.strip_prefix(name)).unwrap()[1..].to_owned());
    let own = ["JWT_SECRET", "ENCRYPTION_KEY", "INDEX_KEY", "OPERATOR_TOKEN"].map(of);
    let mut environment: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.extend([
        ("ENVIRONMENT", "production"),
        ("TRUSTED_PROXIES", "192.0.2.0/24"),
        ("APP_DOMAIN", "auth.example.com"),
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_FROM", "a@example.com"),
        ("USE_CREDENTIALS", "false"),
        ("ALLOW_UNSAFE", "ARGON2_MEMORY_KIB,RATE_LIMITS"),
        ("RATE_LIMITS", "off"),
    ]);
    let process = Process::start(folder.path(), &environment);
    let port = process.address.port().to_string();
    let doctor = || {
        let mut doctor = command(folder.path(), &environment);
        let output = doctor.env("PORT", &port).args(["doctor", "--json"]).output().unwrap();
        let results: Value = serde_json::from_slice(&output.stdout).unwrap();
        let server = results.as_array().unwrap().iter().find(|result| result["what"] == "server").unwrap().clone();
        (server, results.to_string())
    };
    let detailed = || {
        let head = format!("GET /health/detailed HTTP/1.1\r\nauthorization: Bearer {token}");
        serde_json::from_str::<Value>(&process.request(&head, "").unwrap().1).unwrap()["details"].clone()
    };
    assert_eq!(detailed()["allowed_unsafe"], serde_json::json!(["RATE_LIMITS", "ARGON2_MEMORY_KIB"]));
    assert_eq!(detailed()["unlisted_proxies"], Value::Null);
    let (server, all) = doctor();
    assert_eq!((&server["ok"], server["saw"].as_str().unwrap()), (&Value::Bool(true), "runs, and is degraded"));
    assert!(all.contains("RATE_LIMITS is off: allowed by ALLOW_UNSAFE"), "{all}");

    for header in ["x-forwarded-for: 198.51.100.7", "forwarded: for=198.51.100.7"] {
        assert_eq!(process.request(&format!("GET /livez HTTP/1.1\r\n{header}"), "").unwrap().0, 200);
    }
    let seen = &detailed()["unlisted_proxies"];
    assert_eq!((seen["peer"].as_str(), &seen["requests"]), (Some("127.0.0.1"), &serde_json::json!(2)));
    let (server, _) = doctor();
    assert_eq!(server["ok"], Value::Bool(false));
    assert!(server["fix"].as_str().unwrap().contains("add 127.0.0.1 to TRUSTED_PROXIES"), "{server}");
    let metrics = process.request(&format!("GET /metrics HTTP/1.1\r\nauthorization: Bearer {token}"), "").unwrap().1;
    for line in ["portcullis_unsafe_setting{setting=\"RATE_LIMITS\"} 1", "portcullis_unlisted_proxy_requests_total 2"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
