//! How mail and texts are sent.

use crate::config::parse::Reader;
use crate::config::{App, Mail, Twilio};

pub fn mail(reader: &mut Reader, app: &App, production: bool) -> Option<Mail> {
    let user = reader.text("MAIL_USERNAME").map(|found| found.text);
    let password = reader.secret("MAIL_PASSWORD");
    let Some(host) = reader.text("MAIL_SERVER").map(|found| found.text) else {
        if production {
            reader.refuse(
                "MAIL_SERVER",
                "is not set, so that nobody could verify an address",
                "set it to your mail server",
            );
        }
        return None;
    };
    let (starttls, tls) = (reader.flag("MAIL_STARTTLS", true), reader.flag("MAIL_SSL_TLS", false));
    if tls && starttls && reader.text("MAIL_STARTTLS").is_some() {
        reader.refuse("MAIL_SSL_TLS", "MAIL_STARTTLS is on too", "TLS begins once: switch one of the two off");
    }
    if production && !tls && !starttls {
        reader.warnings.push("MAIL_STARTTLS: mail is sent without TLS".to_owned());
    }
    let credentials = if reader.flag("USE_CREDENTIALS", true) {
        if user.is_none() || password.is_none() {
            let mend = "set both, or USE_CREDENTIALS=false";
            reader.refuse("MAIL_USERNAME", "and MAIL_PASSWORD are needed with MAIL_SERVER", mend);
        }
        user.clone().zip(password)
    } else {
        None
    };
    let from = reader.text("MAIL_FROM").map(|found| found.text).or(user);
    if from.is_none() {
        reader.refuse("MAIL_FROM", "is not set", "set it to the address mail comes from");
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
    })
}

pub fn twilio(reader: &mut Reader) -> Option<Twilio> {
    let account = reader.text("TWILIO_SID").map(|found| found.text);
    let token = reader.secret("TWILIO_AUTH_TOKEN");
    let number = reader.text("TWILIO_NUMBER").map(|found| found.text);
    match (account, token, number) {
        (Some(account), Some(token), Some(number)) => Some(Twilio { account, token, number }),
        (None, None, None) => None,
        _ => {
            reader.refuse("TWILIO_SID", "goes with TWILIO_AUTH_TOKEN and TWILIO_NUMBER", "set all three, or none");
            None
        }
    }
}
