//! A connection to the mail server: name, TCP, TLS, greeting, EHLO, STARTTLS and authentication. A failure says at which of
//! these, and what helps.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::{ClientId, Extension};

use crate::network_failure::{Diagnosis, NetworkFailure};

/// How long a server may take to be connected to, to encrypt, and to authenticate us.
pub(super) const STEP: Duration = Duration::from_secs(10);
/// Of which one address of its name: another may be reached where this one is not.
const ADDRESS: Duration = Duration::from_secs(4);

const TLS: &str = "MAIL_STARTTLS=true is for port 587, MAIL_SSL_TLS=true for port 465";

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

/// The server, and how it is talked to.
pub(super) struct Target {
    pub server: (String, u16),
    pub protection: Protection,
    pub tls: TlsParameters,
    pub credentials: Option<Credentials>,
    pub hello: ClientId,
}

/// The name of `MAIL_HELO` as EHLO writes it: a domain, or an address literal (RFC 5321, section 4.1.3).
#[must_use]
pub fn hello(name: &str) -> ClientId {
    match name.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

impl Target {
    /// A connection on which a message can be sent.
    pub async fn connect(&self) -> Result<AsyncSmtpConnection, Diagnosis> {
        let addresses = self.addresses().await?;
        let wrapper = (self.protection == Protection::Tls).then(|| self.tls.clone());
        let connecting = AsyncSmtpConnection::connect_tokio1(&*addresses, Some(ADDRESS), &self.hello, wrapper, None);
        let mut connection = match tokio::time::timeout(STEP, connecting).await {
            Ok(connected) => connected.map_err(|error| at_greeting(&error))?,
            Err(_) => return Err(self.no_greeting()),
        };
        if self.protection == Protection::StartTls {
            if !connection.server_info().supports_feature(Extension::StartTls) {
                let fix = "connect with TLS from the first byte (MAIL_SSL_TLS=true, port 465), or without TLS on a network \
                           of your own (MAIL_STARTTLS=false)";
                return Err(Diagnosis::new("it offers no STARTTLS", fix));
            }
            in_time(connection.starttls(self.tls.clone(), &self.hello)).await?.map_err(|error| at_starttls(&error))?;
        }
        if let Some(credentials) = &self.credentials {
            self.authenticate(&mut connection, credentials).await?;
        }
        Ok(connection)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Diagnosis> {
        let (host, port) = &self.server;
        let found = in_time(tokio::net::lookup_host((host.as_str(), *port))).await?;
        let found = found.map_err(|error| NetworkFailure::of(&error).unwrap_or(NetworkFailure::UnknownName));
        match found.map(Vec::from_iter) {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(network(NetworkFailure::UnknownName)),
            Err(failure) => Err(network(failure)),
        }
    }

    fn no_greeting(&self) -> Diagnosis {
        if self.protection == Protection::Tls {
            return network(NetworkFailure::NoAnswer);
        }
        let fix = format!("a server that expects TLS from the first byte waits like this: {TLS}");
        Diagnosis::new("no greeting came in time", fix)
    }

    async fn authenticate(
        &self,
        connection: &mut AsyncSmtpConnection,
        credentials: &Credentials,
    ) -> Result<(), Diagnosis> {
        if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(self.no_mechanism(connection).await);
        }
        let Err(error) = in_time(connection.auth(DEFAULT_MECHANISMS, credentials)).await? else { return Ok(()) };
        Err(match error.status() {
            Some(code) => Diagnosis::new(
                format!("it refuses the user name or password ({code})"),
                "correct MAIL_USERNAME and MAIL_PASSWORD",
            ),
            None => network(NetworkFailure::of(&error).unwrap_or(NetworkFailure::Closed)),
        })
    }

    /// lettre keeps the mechanisms that it knows: the others are read from a second EHLO.
    async fn no_mechanism(&self, connection: &mut AsyncSmtpConnection) -> Diagnosis {
        let answer = in_time(connection.command(Ehlo::new(self.hello.clone()))).await;
        let lines = answer.ok().and_then(Result::ok);
        let offered = lines.as_ref().and_then(|answer| {
            answer.message().find_map(|line| line.strip_prefix("AUTH").map(|names| names.replace('=', " ")))
        });
        let is_name =
            |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let offered = offered.unwrap_or_default();
        let names: Vec<&str> = offered.split_whitespace().filter(is_name).take(8).collect();
        if names.is_empty() {
            let fix = "use the port for submission (587 or 465), or set USE_CREDENTIALS=false";
            return Diagnosis::new("it offers no authentication", fix);
        }
        let cause = format!("it offers authentication by {} only; PLAIN and LOGIN are supported", names.join(", "));
        Diagnosis::new(cause, "switch PLAIN or LOGIN on there: TLS protects the password")
    }
}

fn network(failure: NetworkFailure) -> Diagnosis {
    if failure == NetworkFailure::NotTls { Diagnosis::new(failure.to_string(), TLS) } else { failure.into() }
}

async fn in_time<T>(step: impl Future<Output = T>) -> Result<T, Diagnosis> {
    tokio::time::timeout(STEP, step).await.map_err(|_| network(NetworkFailure::NoAnswer))
}

/// The failure of a connection up to the answer to EHLO. 220, 421 and 554 are greetings (RFC 5321, section 4.3.2).
fn at_greeting(error: &Error) -> Diagnosis {
    match error.status().map(|code| code.to_string()) {
        Some(code) if code == "421" => Diagnosis::new("it is busy (421)", "wait: mail is tried again"),
        Some(code) if code == "554" => Diagnosis::new(
            "it refuses this machine at its greeting (554)",
            "let the mail server accept this machine's address",
        ),
        Some(code) => Diagnosis::new(
            format!("it refuses the name in EHLO ({code})"),
            "set MAIL_HELO to the full name of this machine, as in auth.example.com",
        ),
        None => network(NetworkFailure::of(error).unwrap_or(NetworkFailure::Closed)),
    }
}

fn at_starttls(error: &Error) -> Diagnosis {
    match error.status() {
        Some(code) => Diagnosis::new(format!("it refuses STARTTLS ({code})"), "see the mail server's own log"),
        None => network(NetworkFailure::of(error).unwrap_or(NetworkFailure::Handshake)),
    }
}
