//! Settings of e-mail, SMS, the audit export and webhooks.

use std::net::IpAddr;

use ipnet::IpNet;
use portcullis_adapters::webhooks::network_guard::AllowedNetworks;
use portcullis_adapters::webhooks::sender::WebhookSettings;
use portcullis_core::model::email::Email;

use super::web::base_url;
use super::{InputRules, list};
use crate::config::settings_reader::SettingsReader;
use crate::config::{App, PublicUrl, SecretText, strength};

/// The SMTP server.
#[derive(Debug, Clone)]
pub struct Mail {
    /// `MAIL_SERVER`.
    pub host: String,
    /// `MAIL_PORT`.
    pub port: u16,
    /// `MAIL_STARTTLS`.
    pub starttls: bool,
    /// `MAIL_SSL_TLS`.
    pub tls: bool,
    /// `VALIDATE_CERTS`.
    pub validate_certificates: bool,
    /// `MAIL_USERNAME` and `MAIL_PASSWORD`, unless `USE_CREDENTIALS=false`.
    pub credentials: Option<(String, SecretText)>,
    /// `MAIL_FROM`.
    pub from: String,
    /// `MAIL_FROM_NAME`.
    pub from_name: String,
    /// `MAIL_HELO`.
    pub hello: String,
}

/// The Twilio account.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// `TWILIO_SID`.
    pub account: String,
    /// `TWILIO_AUTH_TOKEN`.
    pub token: SecretText,
    /// `TWILIO_NUMBER`.
    pub number: String,
    /// `TWILIO_BASE_URL`; `None` is Twilio's own.
    pub base_url: Option<String>,
}

/// The Watchman account.
#[derive(Debug, Clone)]
pub struct Watchman {
    /// `Account_id`.
    pub account: String,
    /// `Access_token`.
    pub token: SecretText,
    /// `WATCHMAN_URL`; `None` is Watchman's own.
    pub url: Option<String>,
}

pub fn mail(
    reader: &mut SettingsReader,
    app: &App,
    public_url: &PublicUrl,
    production: bool,
    rules: InputRules,
) -> Option<Mail> {
    let user = reader.text("MAIL_USERNAME").map(|found| found.text);
    let password = third_party_secret(reader, "MAIL_PASSWORD");
    let Some(host) = reader.text("MAIL_SERVER").map(|found| found.text) else {
        if production {
            reader.refuse(
                "MAIL_SERVER",
                "is not set, so that no address can be verified",
                "set it to your mail server",
            );
        } else if user.is_some() || password.is_some() {
            reader.warnings.push("MAIL_SERVER: is not set, so that e-mails stay in the development mailbox".to_owned());
        }
        return None;
    };
    let (starttls, tls) = (reader.flag("MAIL_STARTTLS", true), reader.flag("MAIL_SSL_TLS", false));
    if tls && starttls && reader.text("MAIL_STARTTLS").is_some() {
        reader.refuse("MAIL_SSL_TLS", "MAIL_STARTTLS is on too", "TLS begins once: switch one of the two off");
    }
    if production && !tls && !starttls {
        reader.warnings.push("MAIL_STARTTLS: e-mails are sent without TLS".to_owned());
    }
    let credentials = if reader.flag("USE_CREDENTIALS", true) {
        if user.is_none() || password.is_none() {
            let fix = "set both, or USE_CREDENTIALS=false";
            reader.refuse("MAIL_USERNAME", "and MAIL_PASSWORD are needed with MAIL_SERVER", fix);
        }
        user.clone().zip(password)
    } else {
        None
    };
    let from = reader.text("MAIL_FROM").map(|found| found.text).or(user);
    let fix = "set it to the address mail comes from";
    match &from {
        None => reader.refuse("MAIL_FROM", "is not set", fix),
        Some(address) if Email::parse_recipient(address, rules.smtputf8).is_err() => {
            reader.refuse("MAIL_FROM", &format!("\"{address}\" is no e-mail address"), fix);
        }
        Some(_) => {}
    }
    Some(Mail {
        host,
        port: reader.number("MAIL_PORT", 587, 1, u16::MAX),
        starttls: starttls && !tls,
        tls,
        validate_certificates: reader.flag("VALIDATE_CERTS", true),
        credentials,
        from: from.unwrap_or_default(),
        from_name: reader.text_or("MAIL_FROM_NAME", &app.name),
        hello: hello(reader, public_url, app),
    })
}

/// The name in EHLO: a domain or an address; the host of `PUBLIC_URL` where none is set.
fn hello(reader: &mut SettingsReader, public_url: &PublicUrl, app: &App) -> String {
    let name = |text: &str| {
        let bare = text.trim_matches(['[', ']']);
        let is_domain =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if is_domain || bare.parse::<std::net::IpAddr>().is_ok() {
            Ok(text.to_owned())
        } else {
            Err(format!("\"{text}\" is no host name"))
        }
    };
    let given = reader.parsed("MAIL_HELO", "write it as auth.example.com", name);
    let host = || public_url.0.as_deref()?.parse::<http::Uri>().ok()?.host().map(str::to_owned);
    given.or_else(host).unwrap_or_else(|| app.domain.clone())
}

pub fn twilio(reader: &mut SettingsReader, production: bool) -> Option<Twilio> {
    let account = reader.text("TWILIO_SID").map(|found| found.text);
    let token = third_party_secret(reader, "TWILIO_AUTH_TOKEN");
    let number = reader.text("TWILIO_NUMBER").map(|found| found.text);
    let base_url = reader.parsed("TWILIO_BASE_URL", "write it as in https://api.twilio.com", base_url);
    match (account, token, number) {
        (Some(account), Some(token), Some(number)) => Some(Twilio { account, token, number, base_url }),
        (None, None, None) => {
            if production {
                reader
                    .warnings
                    .push("TWILIO_SID: is not set, so that no SMS is sent and no phone can be verified".to_owned());
            }
            None
        }
        _ => {
            reader.refuse("TWILIO_SID", "goes with TWILIO_AUTH_TOKEN and TWILIO_NUMBER", "set all three, or none");
            None
        }
    }
}

pub fn watchman(reader: &mut SettingsReader) -> Option<Watchman> {
    let account = reader.text("WATCHMAN_ACCOUNT_ID").map(|found| found.text);
    let token = third_party_secret(reader, "WATCHMAN_TOKEN");
    let url = reader.parsed("WATCHMAN_URL", "write it as in https://watchman.example.com", base_url);
    match (account, token) {
        (Some(account), Some(token)) => Some(Watchman { account, token, url }),
        (None, None) => None,
        _ => {
            reader.refuse("WATCHMAN_ACCOUNT_ID", "goes with WATCHMAN_TOKEN", "set both, or none");
            None
        }
    }
}

/// `WEBHOOK_ALLOW` and `WEBHOOK_PLAIN_HTTP`.
pub fn webhooks(reader: &mut SettingsReader, production: bool) -> WebhookSettings {
    let mut networks = Vec::new();
    for text in list(reader, "WEBHOOK_ALLOW").unwrap_or_default() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) if net.prefix_len() == 0 => {
                reader.refuse("WEBHOOK_ALLOW", "it allows every address", "name the networks of your receivers");
            }
            Ok(net) => networks.push(net),
            Err(_) => {
                let what = format!("\"{text}\" is no network");
                reader.refuse("WEBHOOK_ALLOW", &what, "write it as 10.1.2.0/24,fd00::7");
            }
        }
    }
    let plain_http = reader.flag("WEBHOOK_PLAIN_HTTP", false);
    if production && plain_http {
        reader.warnings.push("WEBHOOK_PLAIN_HTTP: webhooks may be called without TLS".to_owned());
    }
    WebhookSettings { allowed: AllowedNetworks(networks), plain_http }
}

/// A secret that another service has issued. Its strength is not checked.
fn third_party_secret(reader: &mut SettingsReader, name: &'static str) -> Option<SecretText> {
    let secret = reader.secret(name)?;
    strength::check_third_party_secret(reader, name, secret.expose());
    strength::claim(reader, name, secret.expose());
    Some(secret)
}
