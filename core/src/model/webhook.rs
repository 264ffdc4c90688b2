//! Webhooks: addresses of other programs that get a signed message for each event they subscribe to (Standard Webhooks).
//! A message has ids, a kind and a time, no field of a person.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::model::event::EventKind;
use crate::model::ids::{SessionId, UserId, WebhookId};
use crate::model::realm::Realm;
use crate::model::sealed::{DataKey, Sealed, WrappedKey};
use crate::model::secret::SecretString;
use crate::model::time::Timestamp;

/// Webhooks of one realm.
pub const MAX_WEBHOOKS: usize = 20;
/// Bytes of a URL.
pub const MAX_URL: usize = 2_000;
/// How long an older secret still signs beside the new one.
pub const OLD_SECRET_SIGNS: Duration = Duration::from_hours(24);

/// All kinds of events, those of later versions too.
const ALL: &str = "*";

/// The kinds of events that a webhook subscribes to: all, or some by name. A name of a later version stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKinds(BTreeSet<String>);

impl EventKinds {
    /// The kinds of these names; `*` alone is all of them. `None` for no name, and for one that is no kind or one that
    /// [`EventKind::is_for_webhooks`] excludes.
    #[must_use]
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        let known = |name: &String| EventKind::parse(name).is_some_and(EventKind::is_for_webhooks);
        let good = names.iter().all(known) || (names.len() == 1 && names.contains(ALL));
        (good && !names.is_empty()).then_some(Self(names))
    }

    /// Whether events of a kind are sent.
    #[must_use]
    pub fn contains(&self, kind: EventKind) -> bool {
        kind.is_for_webhooks() && (self.0.contains(ALL) || self.0.contains(kind.as_str()))
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// As stores keep them, with a space between two names.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.names().join(" ")
    }

    /// From a store.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.split(' ').map(str::to_owned).collect())
    }
}

/// The secret before the newest one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OldSecret {
    /// Sealed under the newest one.
    pub secret: Sealed,
    /// It signs no message from here on.
    pub until: Timestamp,
}

/// A webhook, as stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Webhook {
    /// The realm whose events it gets.
    pub realm: Realm,
    /// Its id.
    pub id: WebhookId,
    /// The secret that signs its messages, wrapped.
    pub secret: WrappedKey,
    /// The secret before it.
    pub old_secret: Option<OldSecret>,
    /// The address.
    pub url: String,
    /// The events that it gets.
    pub kinds: EventKinds,
    /// Whether nothing is sent to it: an operator wants it so, or the receiver has answered 410.
    pub disabled: bool,
    /// Counts its changes.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// An event as a webhook gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The kind.
    pub kind: EventKind,
    /// When it happened.
    pub at: Timestamp,
    /// The account.
    pub user: Option<UserId>,
    /// The session.
    pub session: Option<SessionId>,
}

/// The text of a secret: `whsec_` and base64.
#[must_use]
pub fn print_secret(secret: &DataKey) -> SecretString {
    let text = Zeroizing::new(STANDARD.encode(secret.as_bytes()));
    SecretString::new(format!("whsec_{}", *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_names_of_events_or_all() {
        let some = EventKinds::parse(["logged_in", "account_deleted", "logged_in"]).unwrap();
        assert_eq!(some.names(), ["account_deleted", "logged_in"]);
        assert!(some.contains(EventKind::LoggedIn) && !some.contains(EventKind::LoggedOut));
        assert_eq!(EventKinds::from_text(&some.to_text()), some);
        let all = EventKinds::parse(["*"]).unwrap();
        let missing: Vec<EventKind> = EventKind::ALL.into_iter().filter(|kind| !all.contains(*kind)).collect();
        assert_eq!(missing, [EventKind::WebhookTested, EventKind::WebhookFailed]);
        for bad in [&[][..], &["*", "logged_in"], &["login"], &[""], &["logged_in", "webhook_failed"]] {
            assert_eq!(EventKinds::parse(bad.iter().copied()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_kind_of_a_later_version_stays() {
        let later = EventKinds::from_text("logged_in of_the_future");
        assert!(later.contains(EventKind::LoggedIn));
        assert_eq!(later.to_text(), "logged_in of_the_future");
    }

    #[test]
    fn a_secret_is_printed_in_base64() {
        let secret = print_secret(&DataKey::from_bytes([0xfb; 32]));
        assert_eq!(secret.expose(), "whsec_+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=");
    }
}
