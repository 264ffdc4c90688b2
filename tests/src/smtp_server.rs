//! A mail server for tests: EHLO, STARTTLS or TLS from the start, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA. It keeps what
//! it takes, and fails on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It does not.
    Well,
    /// 421 instead of a greeting.
    Busy,
    /// 451 at RCPT.
    Greylisting,
    /// 550 at RCPT.
    Refusing,
    /// The connection ends in the midst of DATA.
    DroppingInData,
    /// 452 after DATA.
    Full,
    /// Nothing is ever answered.
    Silent,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Head and body.
    pub data: String,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// Who had authenticated.
    pub user: Option<String>,
}

struct Inner {
    mood: Mood,
    taken: Vec<Mail>,
    /// Lines that came over a connection that was not encrypted.
    in_clear: Vec<String>,
    /// Messages that were begun, and clients that were sent away.
    tries: usize,
}

/// A running server.
#[derive(Clone)]
pub struct SmtpServer {
    /// Where it listens.
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl SmtpServer {
    /// Starts one; with `implicit` it speaks TLS from the first byte.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(implicit: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Inner { mood: Mood::Well, taken: Vec::new(), in_clear: Vec::new(), tries: 0 };
        let inner = Arc::new(Mutex::new(inner));
        let acceptor = acceptor();
        let server = Self { address, inner };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = serving.clone().connection(stream, acceptor.clone(), implicit);
                tokio::spawn(session);
            }
        });
        server
    }

    /// From now on.
    ///
    /// # Panics
    /// When another thread broke it.
    pub fn be(&self, mood: Mood) {
        self.inner.lock().expect("whole").mood = mood;
    }

    /// What it took.
    ///
    /// # Panics
    /// When another thread broke it.
    #[must_use]
    pub fn taken(&self) -> Vec<Mail> {
        self.inner.lock().expect("whole").taken.clone()
    }

    /// What came in clear, and how often somebody tried to send.
    ///
    /// # Panics
    /// When another thread broke it.
    #[must_use]
    pub fn heard(&self) -> (Vec<String>, usize) {
        let inner = self.inner.lock().expect("whole");
        (inner.in_clear.clone(), inner.tries)
    }

    fn mood(&self) -> Mood {
        self.inner.lock().expect("whole").mood
    }

    async fn connection(self, stream: TcpStream, acceptor: TlsAcceptor, implicit: bool) {
        if self.mood() == Mood::Silent {
            std::future::pending::<()>().await;
        }
        // whoever goes away in the middle has ended the session
        if implicit {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = self.session(Box::new(stream), None, true).await;
        } else {
            let _ = self.session(Box::new(stream), Some(acceptor), false).await;
        }
    }

    async fn session(
        &self,
        stream: Box<dyn Stream>,
        mut starttls: Option<TlsAcceptor>,
        mut encrypted: bool,
    ) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        if self.mood() == Mood::Busy {
            self.inner.lock().expect("whole").tries += 1;
            return stream.write_all(b"421 come again\r\n").await;
        }
        stream.write_all(b"220 test ESMTP\r\n").await?;
        let mut mail = Mail { from: String::new(), to: Vec::new(), data: String::new(), encrypted, user: None };
        loop {
            let line = self.line(&mut stream, encrypted).await?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match word.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" if starttls.is_some() => "250-test\r\n250 STARTTLS\r\n".to_owned(),
                "EHLO" | "HELO" => "250-test\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                "STARTTLS" => {
                    let Some(acceptor) = starttls.take() else { return Ok(()) };
                    stream.write_all(b"220 go on\r\n").await?;
                    stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await?));
                    (encrypted, mail.encrypted) = (true, true);
                    continue;
                }
                "AUTH" => {
                    mail.user = plain(rest);
                    if mail.user.is_some() { "235 welcome\r\n" } else { "535 no\r\n" }.to_owned()
                }
                "MAIL" => {
                    self.inner.lock().expect("whole").tries += 1;
                    mail.from = address(rest);
                    "250 ok\r\n".to_owned()
                }
                "RCPT" => match self.mood() {
                    Mood::Greylisting => format!("451 later, {}\r\n", address(rest)),
                    Mood::Refusing => format!("550 no such mailbox: {}\r\n", address(rest)),
                    _ => {
                        mail.to.push(address(rest));
                        "250 ok\r\n".to_owned()
                    }
                },
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    if self.mood() == Mood::DroppingInData {
                        return Ok(());
                    }
                    mail.data = data(&mut stream).await?;
                    self.take(&mut mail).to_owned()
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n").await,
                _ => "250 ok\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    async fn line(&self, stream: &mut BufReader<Box<dyn Stream>>, encrypted: bool) -> std::io::Result<String> {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        if !encrypted {
            self.inner.lock().expect("whole").in_clear.push(line.clone());
        }
        Ok(line)
    }

    fn take(&self, mail: &mut Mail) -> &'static str {
        let mut inner = self.inner.lock().expect("whole");
        if inner.mood == Mood::Full {
            return "452 no room\r\n";
        }
        inner.taken.push(mail.clone());
        mail.to.clear();
        "250 taken\r\n"
    }
}

/// The message, dots unstuffed.
async fn data(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_str() {
            ".\r\n" => return Ok(data),
            line => data.push_str(line.strip_prefix('.').unwrap_or(line)),
        }
    }
}

fn address(rest: &str) -> String {
    rest.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// `PLAIN` with its initial response, for the right user.
fn plain(rest: &str) -> Option<String> {
    let given = STANDARD.decode(rest.strip_prefix("PLAIN ")?).ok()?;
    (given == format!("\0{USER}\0{PASSWORD}").into_bytes()).then(|| USER.to_owned())
}

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
}
