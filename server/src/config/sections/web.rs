//! Settings about the outside: names, links, proxies, CORS.

use std::net::IpAddr;

use http::HeaderName;
use ipnet::IpNet;

use super::appearance::{self, Appearance};
use super::list;
use crate::config::settings_reader::SettingsReader;
use crate::config::{App, PublicUrl};

pub fn app(reader: &mut SettingsReader, production: bool) -> App {
    let host = |text: &str| {
        let uri = text.parse::<http::Uri>().ok();
        let bare =
            uri.as_ref().and_then(http::Uri::authority).is_some_and(|whole| whole == text && !text.contains('@'));
        if bare { Ok(text.to_owned()) } else { Err(format!("\"{text}\" is no domain")) }
    };
    let is_set = reader.text("APP_DOMAIN").is_some();
    let domain = reader.parsed("APP_DOMAIN", "write it as auth.example.com, without https:// and path", host);
    if production && !is_set && reader.text("PUBLIC_URL").is_none() {
        reader.refuse(
            "APP_DOMAIN",
            "is not set, so that no link in an e-mail could lead anywhere",
            "set APP_DOMAIN or PUBLIC_URL",
        );
    }
    App { name: reader.text_or("APP_NAME", "Portcullis"), domain: domain.unwrap_or_else(|| "localhost".to_owned()) }
}

pub fn public_url(reader: &mut SettingsReader, app: &App, production: bool) -> PublicUrl {
    let given = reader.parsed("PUBLIC_URL", "write it as in https://auth.example.com", base_url);
    let own = || production.then(|| format!("https://{}", app.domain));
    PublicUrl(given.or_else(own))
}

/// An http(s) URL that paths can be put behind; without the slash at its end.
pub fn base_url(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|_| "is no URL".to_owned())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    let has_more =
        uri.query().is_some() || text.contains('#') || uri.authority().is_some_and(|a| a.as_str().contains('@'));
    if is_web && !has_more {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("is no http(s) URL without user, query and fragment".to_owned())
    }
}

pub fn trusted_proxies(reader: &mut SettingsReader) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for text in list(reader, "TRUSTED_PROXIES").unwrap_or_default().into_iter().filter(|text| text != "none") {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) => nets.push(net),
            Err(_) => {
                reader.refuse("TRUSTED_PROXIES", &format!("\"{text}\" is no network"), "write it as 10.0.0.0/8,::1");
            }
        }
    }
    nets
}

/// The access to `/dev/*` in development.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxAccess {
    /// Requests from and to loopback.
    Loopback,
    /// Every request.
    Any,
}

pub fn dev_mailbox(reader: &mut SettingsReader) -> MailboxAccess {
    let choices = [("loopback", MailboxAccess::Loopback), ("any", MailboxAccess::Any)];
    reader.choice("DEV_MAILBOX", MailboxAccess::Loopback, &choices)
}

pub fn cors_origins(reader: &mut SettingsReader) -> Vec<String> {
    let fix = "list origins one by one, as in https://app.example.com, without a path";
    let mut origins = Vec::new();
    for text in list(reader, "CORS_ORIGINS").unwrap_or_default() {
        if text == "*" {
            reader.refuse("CORS_ORIGINS", "* would let every page on the web call in a person's name", fix);
            continue;
        }
        match origin(&text) {
            Some(origin) => origins.push(origin),
            // no value: somebody may have put a password into it
            None => reader.refuse("CORS_ORIGINS", "has an entry that is no origin", fix),
        }
    }
    origins
}

/// Settings of pages and CORS.
#[derive(Debug, Clone)]
pub struct Browsers {
    /// `APP_URL`, without a slash at its end.
    pub app_url: Option<String>,
    /// Logo and colour.
    pub appearance: Appearance,
    /// `API_DOCS`.
    pub api_docs: bool,
    /// `CORS_HEADERS`.
    pub cors_headers: Vec<HeaderName>,
}

pub fn browsers(reader: &mut SettingsReader) -> Browsers {
    Browsers {
        app_url: reader.parsed("APP_URL", "write it as in https://app.example.com", base_url),
        appearance: appearance::appearance(reader),
        api_docs: reader.flag("API_DOCS", true),
        cors_headers: cors_headers(reader),
    }
}

fn cors_headers(reader: &mut SettingsReader) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for text in list(reader, "CORS_HEADERS").unwrap_or_default() {
        match text.parse() {
            Ok(name) if text != "*" => names.push(name),
            _ => {
                let fix = "list names one by one, as in x-tenant,x-client-version";
                reader.refuse("CORS_HEADERS", "has an entry that is no header name", fix);
            }
        }
    }
    names
}

/// An origin as browsers send it: lower case, the scheme's own port left out.
pub fn origin(text: &str) -> Option<String> {
    let uri: http::Uri = text.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?.to_ascii_lowercase(), uri.host()?.to_ascii_lowercase());
    let authority = text.split_once("://")?.1;
    let whole = uri.authority().is_some_and(|known| known == authority);
    if !whole || host.is_empty() || authority.contains(['@', '*']) {
        return None;
    }
    let port = match (uri.port(), scheme.as_str()) {
        (None, _) if authority.len() > host.len() => return None,
        (Some(port), "https") if port.as_u16() == 443 => String::new(),
        (Some(port), "http") if port.as_u16() == 80 => String::new(),
        (Some(port), _) => format!(":{}", port.as_u16()),
        (None, _) => String::new(),
    };
    Some(format!("{scheme}://{host}{port}"))
}
