//! SMTP for [`Mailer`]: submission with STARTTLS, TLS or neither, as the operator set it. Reasons carry the server's
//! code, never its text: that may repeat the address.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};

use crate::mail::links::Links;
use crate::mail::render;
use crate::templates::Renderer;

/// How long a server may take for a step.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer about the server's health is good for.
const HEALTH_FOR: Duration = Duration::from_secs(15);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Plain, then TLS by STARTTLS; never without.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None.
    Plain,
}

/// Where mail goes.
pub struct SmtpSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// Whether its certificate must be good.
    pub validate_certificates: bool,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// The sender's address.
    pub from: String,
    /// The sender's name.
    pub from_name: String,
}

/// A mail server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    domain: String,
    renderer: Arc<Renderer>,
    links: Links,
    health: Mutex<Option<(Instant, bool)>>,
}

impl SmtpMailer {
    /// Prepares the connection; nothing is contacted yet.
    ///
    /// # Errors
    /// For a sender that is no address or a host no TLS can be made for.
    pub fn new(settings: SmtpSettings, renderer: Arc<Renderer>, links: Links) -> Result<Self, String> {
        let address: Address = settings.from.parse().map_err(|error| format!("MAIL_FROM: {error}"))?;
        let domain = address.domain().to_owned();
        let tls = TlsParameters::builder(settings.host.clone())
            .dangerous_accept_invalid_certs(!settings.validate_certificates)
            .build_rustls()
            .map_err(|error| format!("MAIL_SERVER: {error}"))?;
        let tls = match settings.protection {
            Protection::StartTls => Tls::Required(tls),
            Protection::Tls => Tls::Wrapper(tls),
            Protection::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = settings.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        let from = Mailbox::new(Some(settings.from_name), address);
        Ok(Self { transport: builder.build(), from, domain, renderer, links, health: Mutex::default() })
    }

    fn message(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<Message, SendError> {
        let mail = render(&self.renderer, &self.links, &envelope.realm, message)?;
        let never = |what: &'static str| move |_| SendError::Never(what.to_owned());
        let address: Address =
            to.as_str().parse().map_err(|_| SendError::Never("the address cannot be written to".to_owned()))?;
        let id = envelope.job.to_string();
        let id = format!("<{}.{}@{}>", id.trim_start_matches(JobId::PREFIX), envelope.part, self.domain);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(mail.rendered.subject)
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
        self.transport.send(message).await.map(|_| ()).map_err(|error| {
            let code = error.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
            // only what is said of this recipient or message is final: a wrong password or a server in trouble passes
            let final_codes = ["550", "551", "552", "553", "556"];
            if error.is_permanent() && final_codes.contains(&code.as_str()) {
                SendError::Never(format!("the mail server refused ({code})"))
            } else {
                SendError::Later(format!("the mail server is away or busy ({code})"))
            }
        })
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
        let tested = tokio::time::timeout(Duration::from_millis(700), self.transport.test_connection()).await;
        let healthy = matches!(tested, Ok(Ok(true)));
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), healthy));
        Some(healthy)
    }
}
