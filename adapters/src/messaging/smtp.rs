//! SMTP for [`Mailer`]: submission with STARTTLS, TLS or neither, as the operator set it. Reasons carry the server's
//! code, never its text: that may repeat the address.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::{Address, Message};
use portcullis_core::model::email::{Email, EnvelopeAddress};
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};

use crate::messaging::email::render;
use crate::messaging::links::LinkBuilder;
use crate::messaging::templates::Renderer;

/// How long a server may take to be connected to, to encrypt, and to believe who we are.
const STEP: Duration = Duration::from_secs(10);
/// Of which one address of its name: another may be reached where this one is not.
const ADDRESS: Duration = Duration::from_secs(4);
/// How long it may take to take a message: it may look into it before it answers. With the steps before, this stays
/// under a job's lease, so that no other worker sends it meanwhile.
const SEND: Duration = Duration::from_secs(60);
/// Connections that wait for the next message.
const IDLE: usize = 4;
/// How long an answer about the server's health is good for.
const HEALTH_FOR: Duration = Duration::from_secs(15);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Plain, then TLS by STARTTLS; never without.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// No encryption.
    Plain,
}

/// The mail server and its credentials.
pub struct SmtpSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// Whether its certificate must be good.
    pub validate_certificates: bool,
    /// The certificates of the authority that signs the server's, where it is a private one.
    pub ca_file: Option<PathBuf>,
    /// User and password.
    pub credentials: Option<(String, SecretString)>,
    /// The sender's address.
    pub from: String,
    /// The sender's name.
    pub from_name: String,
}

/// A mail server.
///
/// It keeps its connections itself: lettre's transport waits for ever for a server that says nothing, and its pool
/// takes back a connection that was given up between a command and its answer, so that the next message would read the
/// answers of the one before.
pub struct SmtpMailer {
    server: (String, u16),
    protection: Protection,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    from: Mailbox,
    domain: String,
    renderer: Arc<Renderer>,
    links: LinkBuilder,
    health: Mutex<Option<(Instant, bool)>>,
}

impl SmtpMailer {
    /// Prepares the connection; nothing is contacted yet.
    ///
    /// # Errors
    /// For a sender that is no address or a host no TLS can be made for.
    pub fn new(settings: SmtpSettings, renderer: Arc<Renderer>, links: LinkBuilder) -> Result<Self, String> {
        let from = Email::parse(&settings.from).ok().and_then(|email| email.envelope());
        let address = from.map(to_address).ok_or_else(|| "MAIL_FROM: is no e-mail address".to_owned())?;
        let domain = address.domain().to_owned();
        let mut tls = TlsParameters::builder(settings.host.clone())
            .dangerous_accept_invalid_certs(!settings.validate_certificates)
            .dangerous_accept_invalid_hostnames(!settings.validate_certificates);
        if let Some(file) = &settings.ca_file {
            let unreadable = |what: String| format!("TLS_CA_FILE: {}: {what}", file.display());
            let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
            let authority = Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?;
            tls = tls.add_root_certificate(authority);
        }
        let tls = tls.build_rustls().map_err(|error| format!("MAIL_SERVER: {error}"))?;
        let from = Mailbox::new(Some(settings.from_name), address);
        Ok(Self {
            server: (settings.host, settings.port),
            protection: settings.protection,
            tls,
            credentials: settings
                .credentials
                .map(|(user, password)| Credentials::new(user, password.expose().to_owned())),
            idle: Mutex::default(),
            from,
            domain,
            renderer,
            links,
            health: Mutex::default(),
        })
    }

    /// One that waits and still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SendError> {
        if let Some(mut idle) = self.take_idle() {
            if tokio::time::timeout(STEP, idle.test_connected()).await.unwrap_or(false) {
                return Ok(idle);
            }
            // the others are no younger: asking each could take longer than a job's lease
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let hello = ClientId::default();
        let (host, port) = &self.server;
        let wrapper = (self.protection == Protection::Tls).then(|| self.tls.clone());
        let connecting =
            AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), Some(ADDRESS), &hello, wrapper, None);
        let mut connection = in_time(STEP, connecting).await?;
        if self.protection == Protection::StartTls {
            in_time(STEP, connection.starttls(self.tls.clone(), &hello)).await?;
        }
        if let Some(credentials) = &self.credentials {
            in_time(STEP, connection.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Ok(connection)
    }

    /// Connects once, encrypts and logs in as for a message.
    ///
    /// # Errors
    /// Why it cannot. Says no password.
    pub async fn look(&self) -> Result<(), String> {
        match self.connection().await {
            Ok(connection) => {
                self.keep(connection);
                Ok(())
            }
            Err(SendError::Later(reason) | SendError::After(_, reason) | SendError::Never(reason)) => Err(reason),
        }
    }

    /// Whether the server takes addresses with more than ASCII before the @ (RFC 6531).
    ///
    /// # Errors
    /// Why it could not be asked. Says no password.
    pub async fn offers_smtputf8(&self) -> Result<bool, String> {
        match self.connection().await {
            Ok(connection) => {
                let offers = offers_smtputf8(&connection);
                self.keep(connection);
                Ok(offers)
            }
            Err(SendError::Later(reason) | SendError::After(_, reason) | SendError::Never(reason)) => Err(reason),
        }
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps one whose last command was answered, and well; any other is dropped with its socket.
    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    fn message(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<Message, SendError> {
        let mail = render(&self.renderer, &self.links, envelope, message)?;
        let never = |what: &'static str| move |_| SendError::Never(what.to_owned());
        let unwritable = || SendError::Never("the address cannot be written to".to_owned());
        let address = to_address(to.envelope().ok_or_else(unwritable)?);
        // lettre would read the addresses again from the head, by a narrower grammar
        let path = lettre::address::Envelope::new(Some(self.from.email.clone()), vec![address.clone()]);
        let path = path.map_err(|_| unwritable())?;
        let id = envelope.job.to_string();
        let id = format!("<{}.{}@{}>", id.trim_start_matches(JobId::PREFIX), envelope.part, self.domain);
        Message::builder()
            .envelope(path)
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            // a name that looks like an encoded word would be decoded by its reader: this has lettre encode it as it is
            .subject(mail.rendered.subject.replace("=?", "=\u{200b}?"))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(mail.rendered.text, mail.rendered.html))
            .map_err(|error| never("the message cannot be made")(error.to_string()))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError> {
        let message = self.message(envelope, to, message)?;
        let mut connection = self.connection().await?;
        let needs_smtputf8 = to.envelope().is_some_and(|address| address.needs_smtputf8());
        if needs_smtputf8 && !offers_smtputf8(&connection) {
            self.keep(connection);
            return Err(SendError::Later("the mail server no longer offers SMTPUTF8 and 8BITMIME".to_owned()));
        }
        in_time(SEND, connection.send(message.envelope(), &message.formatted())).await?;
        self.keep(connection);
        Ok(())
    }

    async fn forget(&self, _: &Realm, _: &UserId) {}

    async fn healthy(&self) -> Option<bool> {
        let known = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, healthy)) = known.filter(|(at, _)| at.elapsed() < HEALTH_FOR) {
            return Some(healthy);
        }
        // the others meanwhile go by the last answer: one connection at a time asks
        let before = known.is_none_or(|(_, healthy)| healthy);
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), before));
        // given up in the middle, the connection is gone with it
        let tested = tokio::time::timeout(Duration::from_millis(700), self.connection()).await;
        let healthy = match tested {
            Ok(Ok(connection)) => {
                self.keep(connection);
                true
            }
            _ => false,
        };
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), healthy));
        Some(healthy)
    }
}

/// The envelope's own grammar decides: lettre's is narrower.
fn to_address(address: EnvelopeAddress) -> Address {
    Address::new_dangerous(address.local, address.domain)
}

/// SMTPUTF8 includes 8BITMIME (RFC 6531, section 3.1).
fn offers_smtputf8(connection: &AsyncSmtpConnection) -> bool {
    let server = connection.server_info();
    server.supports_feature(Extension::SmtpUtfEight) && server.supports_feature(Extension::EightBitMime)
}

/// lettre's own timeout is for the TCP connection only.
async fn in_time<T>(limit: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, SendError> {
    match tokio::time::timeout(limit, step).await {
        Ok(done) => done.map_err(|error| failure(&error)),
        Err(_) => Err(SendError::Later("the mail server is away or busy (no answer in time)".to_owned())),
    }
}

fn failure(error: &Error) -> SendError {
    // a message about a certificate has no personal data
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    if let Some(told) = causes.map(ToString::to_string).find(|told| told.starts_with("invalid peer certificate")) {
        return SendError::Later(format!("the mail server's certificate is not trusted: {told}"));
    }
    let code = error.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    // only what is said of this recipient or message is final: a wrong password or a server in trouble passes
    let final_codes = ["550", "551", "552", "553", "556"];
    if error.is_permanent() && final_codes.contains(&code.as_str()) {
        SendError::Never(format!("the mail server refused ({code})"))
    } else {
        SendError::Later(format!("the mail server is away or busy ({code})"))
    }
}
