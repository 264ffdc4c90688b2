//! What goes out: mail, texts, and what Watchman is told.

use std::sync::Arc;
use std::time::Duration;

use portcullis_adapters::mail::links::Links;
use portcullis_adapters::mail::smtp::{Protection, SmtpMailer, SmtpSettings};
use portcullis_adapters::outbox::{Outbox, Parts};
use portcullis_adapters::templates::Renderer;
use portcullis_adapters::text::twilio::{TwilioSettings, TwilioTexter};
use portcullis_adapters::watchman::{Watched, WatchmanSettings};
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::mailer::Mailer;
use portcullis_core::ports::texter::Texter;

use crate::config::{Environment, Mail, Settings, Twilio};
use crate::http::app::Count;

/// Mail and texts.
pub struct Post {
    pub mailer: Arc<dyn Mailer>,
    pub texter: Arc<dyn Texter>,
    pub outbox: Arc<Outbox>,
}

impl Post {
    /// A server where one is set; the mailbox keeps a copy in development, and stands in where none is.
    pub fn new(settings: &Settings, parts: Parts) -> Result<Self, String> {
        let smtp = settings.mail.as_ref().map(|mail| smtp(mail, &parts.renderer, &parts.links)).transpose()?;
        let twilio = settings.texts.as_ref().map(|texts| twilio(texts, settings, &parts.renderer)).transpose()?;
        let outbox = Arc::new(Outbox::new(Parts { forward: smtp.clone(), forward_texts: twilio.clone(), ..parts }));
        let texter: Arc<dyn Texter> = match twilio {
            Some(twilio) if settings.environment == Environment::Production => twilio,
            _ => outbox.clone(),
        };
        let mailer: Arc<dyn Mailer> = match smtp {
            Some(smtp) if settings.environment == Environment::Production => smtp,
            _ => outbox.clone(),
        };
        Ok(Self { mailer, texter, outbox })
    }
}

/// The audit log, and Watchman told of it where it is set.
pub fn watched(
    settings: &Settings,
    log: Arc<dyn AuditLog>,
    counts: &mut Vec<Count>,
) -> Result<Arc<dyn AuditLog>, String> {
    let Some(watchman) = &settings.watchman else { return Ok(log) };
    let watchman = WatchmanSettings {
        account: watchman.account.clone(),
        token: watchman.token.expose().to_owned(),
        url: watchman.url.clone(),
        service: settings.app.name.clone(),
        first_wait: Duration::from_secs(1),
    };
    let watched = Watched::start(watchman, log)?;
    counts.push(("portcullis_watchman_dropped_total", watched.dropped()));
    Ok(Arc::new(watched))
}

fn twilio(texts: &Twilio, settings: &Settings, renderer: &Arc<Renderer>) -> Result<Arc<dyn Texter>, String> {
    let settings = TwilioSettings {
        account: texts.account.clone(),
        token: texts.token.expose().to_owned(),
        number: texts.number.clone(),
        base_url: texts.base_url.clone(),
        app_name: settings.app.name.clone(),
    };
    Ok(Arc::new(TwilioTexter::new(settings, renderer.clone())?))
}

fn smtp(mail: &Mail, renderer: &Arc<Renderer>, links: &Links) -> Result<Arc<dyn Mailer>, String> {
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
        credentials: mail.credentials.as_ref().map(|(user, password)| (user.clone(), password.expose().to_owned())),
        from: mail.from.clone(),
        from_name: mail.from_name.clone(),
    };
    Ok(Arc::new(SmtpMailer::new(settings, renderer.clone(), links.clone())?))
}
