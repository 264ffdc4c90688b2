//! The fields of each record that its MAC covers (docs/crypto.md has the same list as a table). Left out are the wrapped
//! key, which is bound to its record by its own seal, and what only finds, schedules or removes records.

use portcullis_core::model::credential::Credential;
use portcullis_core::model::event::Event;
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::one_time_token::{OneTimeToken, TokenOwner};
use portcullis_core::model::sealed::Sealed;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::session::{Rotated, Session};
use portcullis_core::model::stored_record::{Collection, LoginCounts, Record, StoredBucket, StoredEvent, StoredJob};
use portcullis_core::model::undo::UndoRecord;
use portcullis_core::model::user::{PendingEmail, Registration, SealedPerson, User};
use portcullis_core::model::webhook::{OldSecret, Webhook};

use crate::crypto::record_macs::{Authenticated, MacInput};
use crate::failed_logins_text;

fn person(person: &SealedPerson, input: &mut MacInput) {
    let SealedPerson { key: _, email_index, first_name, last_name, email, phone, country_code, country, locale } =
        person;
    input
        .bytes("email_index", email_index.to_bytes())
        .bytes("first_name", first_name.as_bytes())
        .bytes("last_name", last_name.as_bytes())
        .bytes("email", email.as_bytes())
        .bytes("phone", phone.as_bytes())
        .bytes("country_code", country_code.as_bytes())
        .bytes("country", country.as_bytes())
        .optional("locale", locale.as_ref().map(portcullis_core::model::sealed::Sealed::as_bytes));
}

impl Authenticated for User {
    fn table(&self) -> &'static str {
        "users"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, id, person: sealed, pending_email, previous_email, password, .. } = self;
        let Self { phone_verified, mfa_sms, factors, disabled, roles, .. } = self;
        let SealedFactors { totp, pending_totp, backup_codes, passkeys, devices } = factors;
        let Self { credentials_version, version, created_at, updated_at, .. } = self;
        input.bytes("realm", realm.as_str()).bytes("id", id.as_bytes());
        person(sealed, input);
        if let Some(PendingEmail { index, email }) = pending_email {
            input.bytes("pending_index", index.to_bytes()).bytes("pending_email", email.as_bytes());
        }
        input
            .optional("previous_email", previous_email.as_ref().map(Sealed::as_bytes))
            .bytes("password", password.as_bytes())
            .flag("phone_verified", *phone_verified)
            .flag("mfa_sms", *mfa_sms)
            .optional("totp", totp.as_ref().map(Sealed::as_bytes))
            .optional("pending_totp", pending_totp.as_ref().map(Sealed::as_bytes))
            .optional("backup_codes", backup_codes.as_ref().map(Sealed::as_bytes))
            .optional("passkeys", passkeys.as_ref().map(Sealed::as_bytes))
            .optional("devices", devices.as_ref().map(Sealed::as_bytes))
            .flag("disabled", *disabled)
            .optional("roles", roles.to_text())
            .number("credentials_version", *credentials_version)
            .number("version", *version)
            .integer("created_at", created_at.as_millis())
            .integer("updated_at", updated_at.as_millis());
    }
}

impl Authenticated for Registration {
    fn table(&self) -> &'static str {
        "registrations"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, id, person: sealed, password, created_at, expires_at, network, contested, failures } = self;
        input.bytes("realm", realm.as_str()).bytes("id", id.as_bytes());
        person(sealed, input);
        input
            .bytes("password", password.as_bytes())
            .integer("created_at", created_at.as_millis())
            .integer("expires_at", expires_at.as_millis())
            .bytes("network", network.as_bytes())
            .flag("contested", *contested)
            .number("failures", u64::from(*failures));
    }
}

impl Authenticated for Session {
    fn table(&self) -> &'static str {
        "sessions"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, id, user, credentials_version, user_agent, address, authenticated_at, .. } = self;
        let Self { methods, failures, created_at, last_used_at, idle_expires_at, expires_at, .. } = self;
        let Self { current, previous, version, .. } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("id", id.as_bytes())
            .bytes("user_id", user.as_bytes())
            .number("credentials_version", *credentials_version)
            .bytes("user_agent", user_agent.as_bytes())
            .bytes("address", address.as_bytes())
            .integer("authenticated_at", authenticated_at.as_millis())
            .number("methods", u64::from(methods.bits()))
            .number("failures", u64::from(*failures))
            .integer("created_at", created_at.as_millis())
            .integer("last_used_at", last_used_at.as_millis())
            .integer("idle_expires_at", idle_expires_at.as_millis())
            .integer("expires_at", expires_at.as_millis())
            .bytes("current", current.as_bytes());
        if let Some(Rotated { token, at, successor }) = previous {
            input
                .bytes("previous", token.as_bytes())
                .integer("rotated_at", at.as_millis())
                .bytes("successor", successor);
        }
        input.number("version", *version);
    }
}

impl Authenticated for OneTimeToken {
    fn table(&self) -> &'static str {
        "one_time_tokens"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { holder, token, code, tries_left, binding, created_at, expires_at } = self;
        let TokenOwner { realm, purpose, subject } = holder;
        input
            .bytes("realm", realm.as_str())
            .bytes("purpose", purpose.as_str())
            .bytes("subject", subject.as_bytes())
            .bytes("token", token.as_bytes())
            .optional("code", code.as_ref().map(portcullis_core::model::sealed::Digest::as_bytes))
            .number("tries_left", u64::from(*tries_left))
            .optional("binding", binding.as_ref().map(portcullis_core::model::sealed::Digest::as_bytes))
            .integer("created_at", created_at.as_millis())
            .integer("expires_at", expires_at.as_millis());
    }
}

impl Authenticated for UndoRecord {
    fn table(&self) -> &'static str {
        "undo_records"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, id, user, change, version, former, reserved, token, .. } = self;
        let Self { tries_left, used, created_at, expires_at, .. } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("id", id.as_bytes())
            .bytes("user_id", user.as_bytes())
            .bytes("change", change.as_str())
            .number("version", *version)
            .bytes("former", former.as_bytes())
            .optional("reserved", reserved.as_ref().map(portcullis_core::model::sealed::RingDigest::to_bytes))
            .optional("token", token.as_ref().map(portcullis_core::model::sealed::Digest::as_bytes))
            .number("tries_left", u64::from(*tries_left))
            .flag("used", *used)
            .integer("created_at", created_at.as_millis())
            .integer("expires_at", expires_at.as_millis());
    }
}

impl Authenticated for Credential {
    fn table(&self) -> &'static str {
        "credentials"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, name, secret, scopes, created_at, expires_at } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("name", name.as_str())
            .bytes("secret", secret.as_bytes())
            .number("scopes", u64::from(scopes.bits()))
            .integer("created_at", created_at.as_millis())
            .optional("expires_at", expires_at.map(|end| end.as_millis().to_be_bytes()));
    }
}

impl Authenticated for Webhook {
    fn table(&self) -> &'static str {
        "webhooks"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, id, secret: _, old_secret, url, kinds, disabled, version, created_at, updated_at } = self;
        input.bytes("realm", realm.as_str()).bytes("id", id.as_bytes());
        if let Some(OldSecret { secret, until }) = old_secret {
            input.bytes("old_secret", secret.as_bytes()).integer("old_until", until.as_millis());
        }
        input
            .bytes("url", url)
            .bytes("kinds", kinds.to_text())
            .flag("disabled", *disabled)
            .number("version", *version)
            .integer("created_at", created_at.as_millis())
            .integer("updated_at", updated_at.as_millis());
    }
}

impl Authenticated for StoredJob {
    fn table(&self) -> &'static str {
        "jobs"
    }

    /// Without the times and counts of its delivery.
    fn add_to(&self, input: &mut MacInput) {
        let Self { id, realm, subject, address, task, created_at, attempts: _, due_at: _, dead_at: _, reason: _ } =
            self;
        input
            .bytes("id", id.as_bytes())
            .bytes("realm", realm.as_str())
            .optional("subject", subject.as_ref().map(portcullis_core::model::ids::UserId::as_bytes))
            .optional("address", address.as_ref().map(portcullis_core::model::sealed::Digest::as_bytes))
            .bytes("task", task)
            .integer("created_at", created_at.as_millis());
    }
}

/// A new event with an id of its own: a copy that somebody puts into the log has the same one.
pub fn new_event(event: &Event) -> StoredEvent {
    StoredEvent { id: Some(rand::random()), ..StoredEvent::of(event) }
}

impl Authenticated for StoredEvent {
    fn table(&self) -> &'static str {
        "audit"
    }

    /// Without its place in the log.
    fn add_to(&self, input: &mut MacInput) {
        let Self { order: _, id, at, realm, kind, user, session, operator, reason, detail } = self;
        input
            .optional("event_id", id.as_ref())
            .integer("at", at.as_millis())
            .bytes("realm", realm.as_str())
            .bytes("kind", kind)
            .optional("user_id", user.as_ref().map(portcullis_core::model::ids::UserId::as_bytes))
            .optional("session_id", session.as_ref().map(portcullis_core::model::ids::SessionId::as_bytes))
            .optional("operator", operator.as_ref())
            .optional("reason", reason.as_ref())
            .optional("detail", detail.as_ref());
    }
}

impl Authenticated for StoredBucket {
    fn table(&self) -> &'static str {
        "buckets"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, operation, who, full_at } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("operation", operation)
            .bytes("who", who.as_bytes())
            .integer("full_at", *full_at);
    }
}

impl Authenticated for LoginCounts {
    fn table(&self) -> &'static str {
        "login_counts"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, email, failed } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("email", email.as_bytes())
            .bytes("failed", failed_logins_text::print(failed));
    }
}

impl Authenticated for StoredMessage {
    fn table(&self) -> &'static str {
        "outbox"
    }

    fn add_to(&self, input: &mut MacInput) {
        let Self { realm, subject, job, part, key: _, message, at } = self;
        input
            .bytes("realm", realm.as_str())
            .bytes("subject", subject.as_bytes())
            .bytes("job", job.as_bytes())
            .number("part", u64::from(*part))
            .bytes("message", message.as_bytes())
            .integer("at", at.as_millis());
    }
}

/// Whether the records of a collection have a MAC. Check values prove themselves.
pub const fn has_macs(collection: Collection) -> bool {
    !matches!(collection, Collection::Checks)
}

impl Authenticated for Record {
    fn table(&self) -> &'static str {
        self.collection().as_str()
    }

    fn add_to(&self, input: &mut MacInput) {
        match self {
            Self::User(user) => user.add_to(input),
            Self::Registrations(pending) => pending.registrations.iter().for_each(|one| one.add_to(input)),
            Self::Session(session) => session.add_to(input),
            Self::OneTimeToken(token) => token.add_to(input),
            Self::Undo(undo) => undo.add_to(input),
            Self::Credential(credential) => credential.add_to(input),
            Self::Webhook(webhook) => webhook.add_to(input),
            Self::Job(job) => job.add_to(input),
            Self::Event(event) => event.add_to(input),
            Self::Bucket(bucket) => bucket.add_to(input),
            Self::SentMessage(message) => message.message.add_to(input),
            Self::LoginCounts(counts) => counts.add_to(input),
            Self::Check(..) => {}
        }
    }
}
