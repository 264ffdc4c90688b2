//! [`WebhookSender`] over HTTP. A receiver that does not answer is left alone for a while, so that it holds up no other
//! message.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::mailer::SendError;
use portcullis_core::ports::webhook_sender::{WebhookAnswer, WebhookMessage, WebhookSender};
use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::network_guard::{AllowedNetworks, ForbiddenAddress, GuardedResolver};
use super::signed_message::{body, signatures};
use crate::network_failure::NetworkFailure;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a message may take altogether.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a receiver that did not answer gets no message.
const PAUSE: Duration = Duration::from_secs(30);

/// Where messages may go.
#[derive(Debug, Clone, Default)]
pub struct WebhookSettings {
    /// Networks that are allowed beside public addresses.
    pub allowed: AllowedNetworks,
    /// Whether a URL may begin with `http://`.
    pub plain_http: bool,
}

/// Sends messages to webhooks.
pub struct HttpWebhookSender {
    client: Client,
    settings: WebhookSettings,
    clock: Arc<dyn Clock>,
    /// Receivers that did not answer, and when they are tried again.
    paused: Mutex<HashMap<WebhookId, Timestamp>>,
}

impl HttpWebhookSender {
    /// Prepares the client; nothing is contacted yet.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(settings: WebhookSettings, names: Arc<dyn Resolve>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let guard = GuardedResolver { names, allowed: settings.allowed.clone() };
        let client = Client::builder()
            .dns_resolver(Arc::new(guard))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .https_only(!settings.plain_http)
            .pool_max_idle_per_host(0)
            .referer(false)
            .user_agent("Portcullis")
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build();
        let client = client.map_err(|_| "WEBHOOK_ALLOW: no TLS connection can be made".to_owned())?;
        Ok(Self { client, settings, clock, paused: Mutex::default() })
    }

    /// A URL that may be connected to, as far as it shows itself.
    fn parse(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|_| "is not a URL".to_owned())?;
        match url.scheme() {
            "https" => {}
            "http" if self.settings.plain_http => {}
            _ => return Err("must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not have a user name or password: messages are signed".to_owned());
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment (#)".to_owned());
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let literal = host.parse::<IpAddr>().ok();
        let is_local = name == "localhost" || name.ends_with(".localhost");
        // a name is checked when it is resolved
        let address = literal.or_else(|| is_local.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        if address.is_some_and(|address| !self.settings.allowed.contain(address)) {
            return Err("its address is neither public nor in WEBHOOK_ALLOW".to_owned());
        }
        if name.is_empty() { Err("has no host".to_owned()) } else { Ok(url) }
    }

    /// The time that is left of a receiver's pause.
    fn pause(&self, webhook: &WebhookId) -> Option<Duration> {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let left = paused.get(webhook)?.as_millis() - self.clock.now().as_millis();
        let left = u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis);
        if left.is_none() {
            paused.remove(webhook);
        }
        left
    }

    fn begin_pause(&self, webhook: WebhookId) {
        let until = self.clock.now() + PAUSE;
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).insert(webhook, until);
    }

    fn failure(&self, webhook: WebhookId, error: &reqwest::Error) -> SendError {
        if ForbiddenAddress::caused(error) {
            return SendError::Later(ForbiddenAddress.to_string());
        }
        self.begin_pause(webhook);
        let found = if error.is_timeout() { Some(NetworkFailure::NoAnswer) } else { NetworkFailure::of(error) };
        SendError::Later(format!("the receiver: {}", found.unwrap_or(NetworkFailure::Closed)))
    }
}

/// The outcome of an answer. Its body is not read.
fn outcome(answer: &Response) -> Result<WebhookAnswer, SendError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(WebhookAnswer::Accepted);
    }
    if status == StatusCode::GONE {
        return Ok(WebhookAnswer::Gone);
    }
    let code = status.as_u16();
    let reason = if status.is_redirection() {
        format!("the receiver answered {code}: redirects are not followed")
    } else {
        format!("the receiver answered {code}")
    };
    let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    Err(match wait {
        Some(seconds) => SendError::After(Duration::from_secs(seconds), reason),
        None => SendError::Later(reason),
    })
}

#[async_trait]
impl WebhookSender for HttpWebhookSender {
    fn check_url(&self, url: &str) -> Result<(), String> {
        self.parse(url).map(|_| ())
    }

    async fn send(&self, message: &WebhookMessage) -> Result<WebhookAnswer, SendError> {
        // the settings may have changed since the webhook was made
        let url = self.parse(&message.url).map_err(|reason| SendError::Never(format!("the URL {reason}")))?;
        if let Some(left) = self.pause(&message.webhook) {
            return Err(SendError::After(left, "the receiver did not answer a moment ago".to_owned()));
        }
        let (id, body, seconds) = (message.id.to_string(), body(message), self.clock.now().as_secs());
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", signatures(&message.secrets, &id, seconds, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .body(body);
        match request.send().await {
            Ok(answer) => outcome(&answer),
            Err(error) => Err(self.failure(message.webhook, &error)),
        }
    }
}
