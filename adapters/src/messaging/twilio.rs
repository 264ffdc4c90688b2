//! Twilio for [`SmsSender`]: `Messages.json` for texts, `Calls.json` for calls. Reasons carry Twilio's code, never its
//! words: these repeat the number.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::message::{Channel, SmsMessage};
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::mailer::{Envelope, SendError};
use portcullis_core::ports::sms_sender::SmsSender;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};

use crate::messaging::links::LinkBuilder;
use crate::messaging::sms::render;
use crate::messaging::templates::Renderer;
use crate::network_failure::{Diagnosis, NetworkFailure};

/// The base URL of Twilio's API.
const TWILIO: &str = "https://api.twilio.com";
/// How long an answer may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a question about its health may take.
const HEALTH_WITHIN: Duration = Duration::from_millis(700);
/// How long an answer about its health is good for.
const HEALTH_FOR: Duration = Duration::from_secs(15);
/// Wrong credentials, a suspended account, no money: the operator can fix these, so the job is retried.
const MENDABLE: [u64; 4] = [20_003, 20_005, 10_001, 20_429];

/// The account.
pub struct TwilioSettings {
    /// Account SID.
    pub account: String,
    /// Its token.
    pub token: SecretString,
    /// The number that sends.
    pub number: String,
    /// Another place than Twilio's own.
    pub base_url: Option<String>,
    /// The names in messages.
    pub links: LinkBuilder,
}

/// Sends SMS and calls by Twilio.
pub struct TwilioSmsSender {
    client: Client,
    settings: TwilioSettings,
    renderer: Arc<Renderer>,
    health: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl fmt::Debug for TwilioSmsSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TwilioSmsSender")
    }
}

impl TwilioSmsSender {
    /// Prepares the connection; nothing is contacted yet.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(settings: TwilioSettings, renderer: Arc<Renderer>) -> Result<Self, String> {
        // a redirect would carry the account's token elsewhere
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        let client = client.map_err(|_| "TWILIO_SID: no TLS connection can be made".to_owned())?;
        Ok(Self { client, settings, renderer, health: Mutex::default() })
    }

    fn url(&self, rest: &str) -> String {
        let base = self.settings.base_url.as_deref().unwrap_or(TWILIO).trim_end_matches('/');
        format!("{base}/2010-04-01/Accounts/{}{rest}", self.settings.account)
    }

    /// Asks for the account once.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn check_account(&self, limit: Duration) -> Result<(), Diagnosis> {
        let request = self.client.get(self.url(".json")).timeout(limit);
        let answer = request.basic_auth(&self.settings.account, Some(self.settings.token.expose())).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused_account(answer.status())),
            Err(error) => Err(network_failure(&error).into()),
        }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(), SendError> {
        let request = self.client.post(self.url(path)).form(form);
        let request = request.basic_auth(&self.settings.account, Some(self.settings.token.expose()));
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(refusal(response).await),
            Err(error) => Err(SendError::Later(format!("Twilio: {}", network_failure(&error)))),
        }
    }
}

/// The cause of a request without an answer.
fn network_failure(error: &reqwest::Error) -> NetworkFailure {
    if error.is_timeout() {
        return NetworkFailure::NoAnswer;
    }
    NetworkFailure::of(error).unwrap_or(NetworkFailure::Closed)
}

fn refused_account(status: StatusCode) -> Diagnosis {
    let code = status.as_u16();
    match code {
        401 => Diagnosis::new("it refuses the account or its token (401)", "correct TWILIO_SID and TWILIO_AUTH_TOKEN"),
        403 => Diagnosis::new("the token may not use this account (403)", "use a token of the account in TWILIO_SID"),
        404 => {
            Diagnosis::new("it knows no such account (404)", "correct TWILIO_SID, and TWILIO_BASE_URL where it is set")
        }
        _ => Diagnosis::new(format!("it is in trouble ({code})"), "see the status page of the telephone service"),
    }
}

/// The error of a refusal.
async fn refusal(response: Response) -> SendError {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let wait: Option<Duration> = wait.map(Duration::from_secs);
    let body: Option<serde_json::Value> = response.json().await.ok();
    let code = body.and_then(|body| body.get("code")?.as_u64());
    let reason = match code {
        Some(code) => format!("Twilio refused ({}, {code})", status.as_u16()),
        None => format!("Twilio refused ({})", status.as_u16()),
    };
    let busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    if busy || status == StatusCode::REQUEST_TIMEOUT {
        return wait.map_or_else(|| SendError::Later(reason.clone()), |wait| SendError::After(wait, reason.clone()));
    }
    let ours_to_mend = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED)
        || code.is_none_or(|code| MENDABLE.contains(&code));
    if ours_to_mend { SendError::Later(reason) } else { SendError::Never(reason) }
}

/// Text as XML text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[async_trait]
impl SmsSender for TwilioSmsSender {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError> {
        let worded = render(&self.renderer, &self.settings.links, &envelope.locale, channel, message)?;
        let (to, from) = (("To", to.as_str()), ("From", self.settings.number.as_str()));
        match channel {
            Channel::Sms => self.post("/Messages.json", &[to, from, ("Body", &worded.text)]).await,
            Channel::Voice => {
                let spoken = format!("<Response><Say>{}</Say></Response>", escaped(&worded.text));
                self.post("/Calls.json", &[to, from, ("Twiml", &spoken)]).await
            }
        }
    }

    async fn forget(&self, _: &Realm, _: &UserId) {}

    async fn health(&self) -> Option<Result<(), String>> {
        let known = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, health)) = known.as_ref().filter(|(at, _)| at.elapsed() < HEALTH_FOR) {
            return Some(health.clone());
        }
        // the others meanwhile go by the last answer: one asks
        let before = known.map_or(Ok(()), |(_, health)| health);
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), before));
        let health = self.check_account(HEALTH_WITHIN).await.map_err(|diagnosis| diagnosis.cause);
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health.clone()));
        Some(health)
    }
}
