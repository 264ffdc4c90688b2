//! Why a connection to another server failed, from the errors of a library. The messages name no address, no user and no
//! password.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

/// The cause of a failed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkFailure {
    /// DNS has no such name.
    UnknownName,
    /// No name server answers.
    NoNameServer,
    /// Nothing listens at the port.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// No answer came in time.
    NoAnswer,
    /// The other side closed the connection.
    Closed,
    /// The other side speaks no TLS.
    NotTls,
    /// The two sides have no version or cipher of TLS in common, or the other side ended the handshake.
    Handshake,
    /// The certificate is not trusted.
    Certificate(CertificateFault),
}

/// The fault of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority signed it.
    UnknownIssuer,
    /// It is for another name.
    OtherName,
    /// Its time is over.
    Expired,
    /// It is that of an authority, and an authority's is not taken for a server's.
    OfAuthority,
    /// Anything else.
    Other,
}

impl fmt::Display for NetworkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "its name is not known (DNS)",
            Self::NoNameServer => "its name could not be resolved: no name server answers (DNS)",
            Self::Refused => "nothing listens at its port",
            Self::Unreachable => "there is no route to it",
            Self::NoAnswer => "no answer in time",
            Self::Closed => "it closed the connection",
            Self::NotTls => "it speaks no TLS at this port",
            Self::Handshake => "the TLS handshake failed",
            Self::Certificate(CertificateFault::UnknownIssuer) => "no trusted authority signed its certificate",
            Self::Certificate(CertificateFault::OtherName) => "its certificate is for another name",
            Self::Certificate(CertificateFault::Expired) => "its certificate is out of date",
            Self::Certificate(CertificateFault::OfAuthority) => {
                "its certificate is self-signed as that of an authority, which is not accepted from a server"
            }
            Self::Certificate(CertificateFault::Other) => "its certificate is not valid",
        })
    }
}

impl NetworkFailure {
    /// The cause, if the chain of errors has one of these.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let (mut of_kind, mut next) = (None, Some(error));
        while let Some(error) = next {
            // the text of an error often has those of its causes in it
            if let Some(found) = Self::in_text(&format!("{error} {error:?}")) {
                return Some(found);
            }
            let io = error.downcast_ref::<std::io::Error>();
            of_kind = io.and_then(|io| Self::of_kind(io.kind())).or(of_kind);
            next = error.source();
        }
        of_kind
    }

    /// The cause that a library only tells in words.
    #[must_use]
    pub fn in_text(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["invalid peer certificate", "invalidcertificate"]) {
            return Some(Self::Certificate(CertificateFault::in_text(&text)));
        }
        let rules: [(Self, &[&str]); 7] = [
            (Self::NotTls, &["invalidcontenttype", "corrupt message", "wrong version number"]),
            (Self::Handshake, &["alertreceived", "received fatal alert", "peerincompatible", "handshakefailure"]),
            (Self::NoNameServer, &["temporary failure in name resolution", "request timed out resolving"]),
            (
                Self::UnknownName,
                &[
                    "name or service not known",
                    "no address associated",
                    "nodename nor servname",
                    "no records found",
                    "nxdomain",
                ],
            ),
            (Self::Refused, &["connection refused"]),
            (Self::Unreachable, &["network is unreachable", "no route to host", "host is unreachable"]),
            (Self::NoAnswer, &["timed out", "timeout", "deadline has elapsed"]),
        ];
        rules.into_iter().find(|(_, words)| has(words)).map(|(failure, _)| failure)
    }

    fn of_kind(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::ConnectionRefused => Some(Self::Refused),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Some(Self::Unreachable)
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Some(Self::NoAnswer),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Some(Self::Closed),
            _ => None,
        }
    }

    /// The fix. The message names the setting before the cause.
    #[must_use]
    pub const fn fix(self) -> &'static str {
        match self {
            Self::UnknownName => "correct the host in this setting",
            Self::NoNameServer => "see that this machine reaches its name server (/etc/resolv.conf)",
            Self::Refused => "start the server, or correct host and port",
            Self::Unreachable | Self::NoAnswer => "let this machine through the firewall, or correct host and port",
            Self::Closed => "see the server's own log; a server that expects TLS closes a plain connection",
            Self::NotTls => "connect without TLS, or to the port that speaks it",
            Self::Handshake => "let the server speak TLS 1.2 or 1.3",
            Self::Certificate(CertificateFault::UnknownIssuer) => {
                "set TLS_CA_FILE to the certificate of the authority that signs it"
            }
            Self::Certificate(CertificateFault::OtherName) => "use a name that is in the certificate",
            Self::Certificate(CertificateFault::Expired) => "renew the certificate, or set the clock of this machine",
            Self::Certificate(CertificateFault::OfAuthority) => {
                "sign a certificate for the server by an authority of your own, and set TLS_CA_FILE to the authority's"
            }
            Self::Certificate(CertificateFault::Other) => "give the server another certificate",
        }
    }
}

/// Why a server of the settings can't be used, and what helps. Neither has a password or an address of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cause, in a few words about the server.
    pub cause: String,
    /// The fix.
    pub fix: String,
}

impl Diagnosis {
    /// A cause and its fix.
    pub fn new(cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { cause: cause.into(), fix: fix.into() }
    }
}

impl From<NetworkFailure> for Diagnosis {
    fn from(failure: NetworkFailure) -> Self {
        Self::new(failure.to_string(), failure.fix())
    }
}

impl CertificateFault {
    fn in_text(text: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["causedasendentity"]) {
            Self::OfAuthority
        } else if has(&["unknownissuer", "badsignature"]) {
            // a trusted authority of the same name has another key
            Self::UnknownIssuer
        } else if has(&["notvalidforname", "not valid for name"]) {
            Self::OtherName
        } else if has(&["expired", "notvalidyet", "not valid yet"]) {
            Self::Expired
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_the_chain_of_errors() {
        let inner = std::io::Error::from(ErrorKind::ConnectionRefused);
        let outer = std::io::Error::other(inner);
        assert_eq!(NetworkFailure::of(&outer), Some(NetworkFailure::Refused));
        let told = std::io::Error::other("invalid peer certificate: UnknownIssuer");
        assert_eq!(NetworkFailure::of(&told), Some(NetworkFailure::Certificate(CertificateFault::UnknownIssuer)));
        assert_eq!(NetworkFailure::of(&std::io::Error::other("anything")), None);
    }
}
