//! E-mail, SMS, webhooks, and the export of audit events.

use std::sync::Arc;
use std::time::Duration;

use portcullis_adapters::messaging::dev_mailbox::{DevMailbox, MailboxParts};
use portcullis_adapters::messaging::links::LinkBuilder;
use portcullis_adapters::messaging::smtp::{Protection, SmtpMailer, SmtpSettings};
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::messaging::twilio::{TwilioSettings, TwilioSmsSender};
use portcullis_adapters::watchman::{WatchmanAuditLog, WatchmanSettings};
use portcullis_adapters::webhooks::fan_out::{FanOutPorts, WebhookFanOut};
use portcullis_adapters::webhooks::network_guard::SystemResolver;
use portcullis_adapters::webhooks::sender::HttpWebhookSender;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::database::Database;
use portcullis_core::ports::mailer::Mailer;
use portcullis_core::ports::sms_sender::SmsSender;
use portcullis_core::ports::webhook_sender::WebhookSender;

use crate::config::{Environment, Mail, Settings, Twilio};
use crate::http::app::Count;

/// The senders of e-mail and SMS.
pub struct Messaging {
    pub mailer: Arc<dyn Mailer>,
    pub sms_sender: Arc<dyn SmsSender>,
    pub outbox: Arc<DevMailbox>,
}

impl Messaging {
    /// The servers that are set. In development, and where none is set, the mailbox has a copy.
    pub fn new(settings: &Settings, parts: MailboxParts) -> Result<Self, String> {
        let smtp =
            settings.mail.as_ref().map(|mail| smtp(settings, mail, &parts.renderer, &parts.links)).transpose()?;
        let smtp = smtp.map(|smtp| Arc::new(smtp) as Arc<dyn Mailer>);
        let twilio = settings.texts.as_ref().map(|texts| twilio(texts, &parts.links, &parts.renderer)).transpose()?;
        let twilio = twilio.map(|twilio| Arc::new(twilio) as Arc<dyn SmsSender>);
        let outbox =
            Arc::new(DevMailbox::new(MailboxParts { forward: smtp.clone(), forward_texts: twilio.clone(), ..parts }));
        let sms_sender: Arc<dyn SmsSender> = match twilio {
            Some(twilio) if settings.environment == Environment::Production => twilio,
            _ => outbox.clone(),
        };
        let mailer: Arc<dyn Mailer> = match smtp {
            Some(smtp) if settings.environment == Environment::Production => smtp,
            _ => outbox.clone(),
        };
        Ok(Self { mailer, sms_sender, outbox })
    }
}

/// Where audit events are appended, and where they are committed.
type Events = (Arc<dyn AuditLog>, Arc<dyn Database>);

/// The audit log and the database, whose events go to Watchman, where it is set, and to webhooks.
pub fn exported(settings: &Settings, ports: FanOutPorts, counts: &mut Vec<Count>) -> Result<Events, String> {
    let (audit, database) = with_watchman(settings, ports.audit, ports.database, counts)?;
    let fan_out = WebhookFanOut::start(FanOutPorts { audit, database, ..ports });
    counts.push(("portcullis_webhook_events_dropped_total", fan_out.dropped()));
    let fan_out = Arc::new(fan_out);
    Ok((fan_out.clone(), fan_out))
}

/// The same without webhooks.
fn with_watchman(
    settings: &Settings,
    log: Arc<dyn AuditLog>,
    database: Arc<dyn Database>,
    counts: &mut Vec<Count>,
) -> Result<Events, String> {
    let Some(watchman) = &settings.watchman else { return Ok((log, database)) };
    let watchman = WatchmanSettings {
        account: watchman.account.clone(),
        token: watchman.token.clone(),
        url: watchman.url.clone(),
        service: settings.app.name.clone(),
        first_wait: Duration::from_secs(1),
    };
    let watched = WatchmanAuditLog::start(watchman, log, database)?;
    counts.push(("portcullis_watchman_dropped_total", watched.dropped()));
    let watched = Arc::new(watched);
    Ok((watched.clone(), watched))
}

/// The sender of messages to webhooks.
pub fn webhook_sender(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Arc<dyn WebhookSender>, String> {
    let sender = HttpWebhookSender::new(settings.webhooks.clone(), Arc::new(SystemResolver), clock.clone())?;
    Ok(Arc::new(sender))
}

pub fn twilio(texts: &Twilio, links: &LinkBuilder, renderer: &Arc<Renderer>) -> Result<TwilioSmsSender, String> {
    let settings = TwilioSettings {
        account: texts.account.clone(),
        token: texts.token.clone(),
        number: texts.number.clone(),
        base_url: texts.base_url.clone(),
        links: links.clone(),
    };
    TwilioSmsSender::new(settings, renderer.clone())
}

/// With `MAIL_SMTPUTF8=on` the mail server must offer it. One that is away can't be asked: a start does not wait for it.
pub async fn check_smtputf8(settings: &Settings) -> Result<(), String> {
    let Some(mail) = settings.mail.as_ref().filter(|_| settings.input.smtputf8) else { return Ok(()) };
    let renderer = Renderer::new(None).map_err(|error| error.to_string())?;
    match connectable(settings, mail, &Arc::new(renderer))?.offers_smtputf8().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("MAIL_SMTPUTF8: {NO_SMTPUTF8}. Fix: {NO_SMTPUTF8_FIX}")),
        Err(reason) => {
            tracing::warn!("MAIL_SMTPUTF8: the mail server could not be asked: {}", reason.cause);
            Ok(())
        }
    }
}

/// A mail server that offers too little for `MAIL_SMTPUTF8=on`.
pub const NO_SMTPUTF8: &str = "the mail server does not offer SMTPUTF8 and 8BITMIME";
/// The fix.
pub const NO_SMTPUTF8_FIX: &str = "switch SMTPUTF8 on there, or remove MAIL_SMTPUTF8";

/// A mailer for checks of the connection, whose links lead nowhere.
pub fn connectable(settings: &Settings, mail: &Mail, renderer: &Arc<Renderer>) -> Result<SmtpMailer, String> {
    let links = LinkBuilder::new(String::new(), settings.app.name.clone(), None);
    smtp(settings, mail, renderer, &links)
}

fn smtp(settings: &Settings, mail: &Mail, renderer: &Arc<Renderer>, links: &LinkBuilder) -> Result<SmtpMailer, String> {
    let protection = match (mail.tls, mail.starttls) {
        (true, _) => Protection::Tls,
        (false, true) => Protection::StartTls,
        (false, false) => Protection::Plain,
    };
    let settings = SmtpSettings {
        host: mail.host.clone(),
        port: mail.port,
        protection,
        validate_certificates: mail.validate_certificates,
        ca_file: settings.ca_file.clone(),
        credentials: mail.credentials.clone(),
        from: mail.from.clone(),
        from_name: mail.from_name.clone(),
        hello: mail.hello.clone(),
    };
    SmtpMailer::new(settings, renderer.clone(), links.clone())
}
