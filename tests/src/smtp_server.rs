//! A mail server for tests: EHLO, STARTTLS or TLS from the start, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA. It keeps what
//! it takes, and fails on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The only user.
pub const USER: &str = "mailer@example.com";
/// The user's password.
pub const PASSWORD: &str = "hunter2-but-longer";

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureMode {
    /// It does not.
    #[default]
    Well,
    /// Connections end before a greeting.
    Away,
    /// 535 at AUTH, for any user.
    Distrustful,
    /// 421 instead of a greeting.
    Busy,
    /// 451 at RCPT so many times; then well.
    Greylisting(usize),
    /// 550 at RCPT.
    Refusing,
    /// The connection ends in the midst of DATA, after the first line.
    DroppingInData,
    /// NOOP is answered a second late, all else at once.
    Hesitant,
    /// 452 after DATA.
    Full,
    /// Nothing is ever answered.
    Silent,
}

/// A message that was taken.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Head and body.
    pub data: String,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The user that had authenticated.
    pub user: Option<String>,
    /// Whether it came with SMTPUTF8.
    pub smtputf8: bool,
}

#[derive(Default)]
struct Inner {
    mood: FailureMode,
    taken: Vec<Mail>,
    /// Messages that were read and refused after DATA.
    turned_away: Vec<Mail>,
    /// Lines that came over a connection that was not encrypted.
    in_clear: Vec<String>,
    /// The number of times that it failed a client.
    failures: usize,
    /// Extensions beside STARTTLS and AUTH.
    extensions: Vec<&'static str>,
}

/// A running server.
#[derive(Clone)]
pub struct SmtpServer {
    /// Where it listens.
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    /// The only way to authenticate that it offers.
    mechanism: &'static str,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
type Wire = BufReader<Box<dyn Stream>>;

impl SmtpServer {
    /// Starts one; with `implicit` it speaks TLS from the first byte.
    pub async fn start(implicit: bool) -> Self {
        Self::start_with(implicit, "PLAIN").await
    }

    /// Starts one that offers `PLAIN` or `LOGIN` only.
    pub async fn start_with(implicit: bool, mechanism: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Mutex::new(Inner::default()));
        let (acceptor, server) = (acceptor(), Self { address, inner, mechanism });
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().connection(stream, acceptor.clone(), implicit));
            }
        });
        server
    }

    /// From now on.
    pub fn be(&self, mood: FailureMode) {
        self.inner().mood = mood;
    }

    /// Offers further extensions from the next EHLO on, such as `SMTPUTF8`.
    pub fn offer(&self, extensions: &[&'static str]) {
        self.inner().extensions = extensions.to_vec();
    }

    /// The messages that it accepted.
    #[must_use]
    pub fn taken(&self) -> Vec<Mail> {
        self.inner().taken.clone()
    }

    /// The messages that it refused after DATA.
    #[must_use]
    pub fn turned_away(&self) -> Vec<Mail> {
        self.inner().turned_away.clone()
    }

    /// The lines that came in clear, and the number of failures.
    #[must_use]
    pub fn heard(&self) -> (Vec<String>, usize) {
        let inner = self.inner();
        (inner.in_clear.clone(), inner.failures)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("whole")
    }

    fn fail(&self) {
        self.inner().failures += 1;
    }

    fn mood(&self) -> FailureMode {
        self.inner().mood
    }

    async fn connection(self, stream: TcpStream, acceptor: TlsAcceptor, implicit: bool) {
        match self.mood() {
            FailureMode::Silent => {
                self.fail();
                std::future::pending::<()>().await;
            }
            FailureMode::Away => return self.fail(),
            _ => {}
        }
        // a client that disconnects in the middle has ended the session
        if !implicit {
            let _ = self.session(Box::new(stream), Some(acceptor), false).await;
        } else if let Ok(stream) = acceptor.accept(stream).await {
            let _ = self.session(Box::new(stream), None, true).await;
        }
    }

    async fn session(&self, stream: Box<dyn Stream>, tls: Option<TlsAcceptor>, secure: bool) -> std::io::Result<()> {
        let (mut starttls, mut encrypted) = (tls, secure);
        let mut stream = BufReader::new(stream);
        let began = self.mood();
        if began == FailureMode::Busy {
            self.fail();
            return stream.write_all(b"421 come again\r\n").await;
        }
        stream.write_all(b"220 test ESMTP\r\n").await?;
        let mut mail = Mail { encrypted, ..Mail::default() };
        loop {
            let line = self.line(&mut stream, encrypted).await?;
            match self.mood() {
                mood if mood == began => {}
                // clients that are already connected are affected too
                FailureMode::Away | FailureMode::Busy | FailureMode::Distrustful => return Ok(()),
                FailureMode::Silent => std::future::pending().await,
                _ => {}
            }
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match word.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" => {
                    let own =
                        if starttls.is_some() { "STARTTLS".to_owned() } else { format!("AUTH {}", self.mechanism) };
                    let names = self.inner().extensions.clone();
                    let more = names.iter().fold(String::new(), |more, name| more + "250-" + name + "\r\n");
                    format!("250-test\r\n{more}250 {own}")
                }
                "STARTTLS" => {
                    let Some(acceptor) = starttls.take() else { return Ok(()) };
                    stream.write_all(b"220 go on\r\n").await?;
                    stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await?));
                    (encrypted, mail.encrypted) = (true, true);
                    continue;
                }
                "AUTH" => {
                    mail.user = self.authenticated(&mut stream, rest, encrypted).await?;
                    if mail.user.is_some() { "235 welcome" } else { "535 no" }.to_owned()
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    if self.mood() == FailureMode::DroppingInData {
                        let _ = self.line(&mut stream, encrypted).await?;
                        self.fail();
                        return Ok(());
                    }
                    mail.data = data(&mut stream).await?;
                    self.take(&mail).to_owned()
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n").await,
                word => self.answer(word, rest, &mut mail).await,
            };
            if answer.starts_with(['4', '5']) {
                self.fail();
            }
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    /// To what needs nothing but the envelope.
    async fn answer(&self, word: &str, rest: &str, mail: &mut Mail) -> String {
        let (address, parameters) = path(rest);
        let offered = self.inner().extensions.clone();
        if parameters.iter().any(|parameter| !offered.contains(&parameter.trim_start_matches("BODY="))) {
            return "555 not offered".to_owned();
        }
        if word == "MAIL" {
            mail.smtputf8 = parameters.contains(&"SMTPUTF8");
        }
        if word == "RCPT" && !mail.smtputf8 && !address.is_ascii() {
            return "553 ASCII only".to_owned();
        }
        match (word, self.mood()) {
            ("RCPT", FailureMode::Greylisting(left)) => {
                self.be(if left > 1 { FailureMode::Greylisting(left - 1) } else { FailureMode::Well });
                return format!("451 later, {address}");
            }
            ("RCPT", FailureMode::Refusing) => return format!("550 no such mailbox: {address}"),
            // RSET has no address
            ("MAIL" | "RSET", _) => (mail.from, mail.to) = (address.to_owned(), Vec::new()),
            ("RCPT", _) => mail.to.push(address.to_owned()),
            ("NOOP", FailureMode::Hesitant) => tokio::time::sleep(Duration::from_secs(1)).await,
            ("NOOP", _) => {}
            _ => return "502 what".to_owned(),
        }
        "250 ok".to_owned()
    }

    async fn line(&self, stream: &mut Wire, encrypted: bool) -> std::io::Result<String> {
        let line = read(stream).await?.trim_end().to_owned();
        if !encrypted {
            self.inner().in_clear.push(line.clone());
        }
        Ok(line)
    }

    /// `PLAIN` with its initial response, or `LOGIN` with its two questions; the user if it is the right one.
    async fn authenticated(&self, stream: &mut Wire, rest: &str, encrypted: bool) -> std::io::Result<Option<String>> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut given = decoded(initial);
        if mechanism == "LOGIN" {
            for question in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
                stream.write_all(question.as_bytes()).await?;
                given = format!("{given}\0{}", decoded(&self.line(stream, encrypted).await?));
            }
        }
        let right = self.mood() != FailureMode::Distrustful
            && mechanism == self.mechanism
            && given == format!("\0{USER}\0{PASSWORD}");
        Ok(right.then(|| USER.to_owned()))
    }

    fn take(&self, mail: &Mail) -> &'static str {
        let mut inner = self.inner();
        if inner.mood == FailureMode::Full {
            inner.turned_away.push(mail.clone());
            return "452 no room";
        }
        inner.taken.push(mail.clone());
        "250 taken"
    }
}

async fn read(stream: &mut Wire) -> std::io::Result<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    if read > 0 { Ok(line) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// The message, dots unstuffed.
async fn data(stream: &mut Wire) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let line = read(stream).await?;
        match line.as_str() {
            ".\r\n" => return Ok(data),
            line => data.push_str(line.strip_prefix('.').unwrap_or(line)),
        }
    }
}

/// The address of `FROM:<…>` or `TO:<…>`, and the parameters behind it. A quoted local part may have brackets.
fn path(rest: &str) -> (&str, Vec<&str>) {
    let inner = rest.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    inner.map_or(("", Vec::new()), |(address, parameters)| (address, parameters.split_whitespace().collect()))
}

/// Decodes a client's base64 text; empty if it is invalid.
fn decoded(text: &str) -> String {
    STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn acceptor() -> TlsAcceptor {
    // self-signed, and for a name that no client uses: the case for VALIDATE_CERTS=false
    let made = rcgen::generate_simple_self_signed(vec!["mail.internal".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
}
