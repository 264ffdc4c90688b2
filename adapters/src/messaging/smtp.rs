//! SMTP for [`Mailer`]: submission with STARTTLS, TLS or neither, as the operator set it. Reasons carry the server's
//! code, never its text: that may repeat the address.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::Extension;
use lettre::{Address, Message};
use portcullis_core::model::email::{Email, EnvelopeAddress};
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};

use crate::messaging::email::render;
use crate::messaging::links::LinkBuilder;
pub use crate::messaging::smtp_connection::Protection;
use crate::messaging::smtp_connection::{STEP, Target, hello};
use crate::messaging::templates::Renderer;
use crate::network_failure::{Diagnosis, NetworkFailure};

/// How long it may take to take a message: it may look into it before it answers. With the steps before, this stays
/// under a job's lease, so that no other worker sends it meanwhile.
const SEND: Duration = Duration::from_secs(60);
/// Connections that wait for the next message.
const IDLE: usize = 4;
/// How long an answer about the server's health is good for.
const HEALTH_FOR: Duration = Duration::from_secs(15);

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
    /// The name of this machine in EHLO.
    pub hello: String,
}

/// A mail server.
///
/// It keeps its connections itself: lettre's transport waits for ever for a server that says nothing, and its pool
/// takes back a connection that was given up between a command and its answer, so that the next message would read the
/// answers of the one before.
pub struct SmtpMailer {
    target: Target,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    from: Mailbox,
    domain: String,
    renderer: Arc<Renderer>,
    links: LinkBuilder,
    health: Mutex<Option<(Instant, Result<(), String>)>>,
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
            target: Target {
                server: (settings.host, settings.port),
                protection: settings.protection,
                tls,
                credentials: settings
                    .credentials
                    .map(|(user, password)| Credentials::new(user, password.expose().to_owned())),
                hello: hello(&settings.hello),
            },
            idle: Mutex::default(),
            from,
            domain,
            renderer,
            links,
            health: Mutex::default(),
        })
    }

    /// One that waits and still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Diagnosis> {
        if let Some(mut idle) = self.take_idle() {
            if tokio::time::timeout(STEP, idle.test_connected()).await.unwrap_or(false) {
                return Ok(idle);
            }
            // the others are no younger: asking each could take longer than a job's lease
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.target.connect().await
    }

    /// Whether the server takes addresses with more than ASCII before the @ (RFC 6531).
    ///
    /// # Errors
    /// Why it could not be asked. Says no password.
    pub async fn offers_smtputf8(&self) -> Result<bool, Diagnosis> {
        let connection = self.connection().await?;
        let offers = offers_smtputf8(&connection);
        self.keep(connection);
        Ok(offers)
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
        let connected = self.connection().await;
        let mut connection =
            connected.map_err(|diagnosis| SendError::Later(format!("the mail server: {}", diagnosis.cause)))?;
        let needs_smtputf8 = to.envelope().is_some_and(|address| address.needs_smtputf8());
        if needs_smtputf8 && !offers_smtputf8(&connection) {
            self.keep(connection);
            return Err(SendError::Later("the mail server no longer offers SMTPUTF8 and 8BITMIME".to_owned()));
        }
        match tokio::time::timeout(SEND, connection.send(message.envelope(), &message.formatted())).await {
            Ok(sent) => drop(sent.map_err(|error| failure(&error))?),
            Err(_) => return Err(SendError::Later("the mail server: no answer in time".to_owned())),
        }
        self.keep(connection);
        Ok(())
    }

    async fn forget(&self, _: &Realm, _: &UserId) {}

    async fn health(&self) -> Option<Result<(), String>> {
        let known = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, health)) = known.as_ref().filter(|(at, _)| at.elapsed() < HEALTH_FOR) {
            return Some(health.clone());
        }
        // the others meanwhile go by the last answer: one connection at a time asks
        let before = known.map_or(Ok(()), |(_, health)| health);
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), before));
        // given up in the middle, the connection is gone with it
        let health = match tokio::time::timeout(Duration::from_millis(700), self.connection()).await {
            Ok(Ok(connection)) => {
                self.keep(connection);
                Ok(())
            }
            Ok(Err(diagnosis)) => Err(diagnosis.cause),
            Err(_) => Err("no answer in time".to_owned()),
        };
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health.clone()));
        Some(health)
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

fn failure(error: &Error) -> SendError {
    let Some(code) = error.status().map(|code| code.to_string()) else {
        let failure = NetworkFailure::of(error).unwrap_or(NetworkFailure::Closed);
        return SendError::Later(format!("the mail server: {failure}"));
    };
    // only what is said of this recipient or message is final: a wrong password or a server in trouble passes
    let final_codes = ["550", "551", "552", "553", "556"];
    if error.is_permanent() && final_codes.contains(&code.as_str()) {
        SendError::Never(format!("the mail server refused ({code})"))
    } else {
        SendError::Later(format!("the mail server refused for now ({code})"))
    }
}
