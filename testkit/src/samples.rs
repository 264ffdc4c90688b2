//! Records to try things with: the same number gives the same record, different numbers differ in everything.
//! They live far in the future, so that a database's own idea of expiry never meddles with a contract.
#![expect(clippy::expect_used, reason = "test kit: a sample that cannot be made is a failed test")]

use std::time::Duration;

use crate::fake_mac::FakeMac;
use portcullis_core::model::country::CountryCode;
use portcullis_core::model::email::Email;
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::ids::{AccessTokenId, JobId, SessionId, UndoId, UserId};
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::name::PersonName;
use portcullis_core::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::password::Password;
use portcullis_core::model::phone::{Phone, PhoneValidation};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord, UndoableChange};
use portcullis_core::model::user::{Registration, SealedPerson, User};
use portcullis_core::ports::token_signer::AccessClaims;

/// The hour of all samples: 2050-01-01T00:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(2_524_608_000_000);

/// How long samples live: a day.
pub const LIFE: Duration = Duration::from_hours(24);

/// A realm.
///
/// # Panics
/// If the text is not a realm's name.
#[must_use]
pub fn realm(name: &str) -> Realm {
    Realm::parse(name).expect("a realm's name")
}

/// 32 bytes that depend on their purpose and on a number.
fn bytes(label: &str, n: u64) -> [u8; 32] {
    FakeMac::new(n).part(label.as_bytes()).finish()
}

fn id(label: &str, n: u64) -> [u8; 16] {
    bytes(label, n).first_chunk().copied().unwrap_or_default()
}

/// The n-th user's id.
#[must_use]
pub fn user_id(n: u64) -> UserId {
    UserId::from_bytes(id("user", n))
}

/// The n-th session's id.
#[must_use]
pub fn session_id(n: u64) -> SessionId {
    SessionId::from_bytes(id("session", n))
}

/// The n-th job's id.
#[must_use]
pub fn job_id(n: u64) -> JobId {
    JobId::from_bytes(id("job", n))
}

/// The n-th undo record's id.
#[must_use]
pub fn undo_id(n: u64) -> UndoId {
    UndoId::from_bytes(id("undo", n))
}

/// The n-th undo record of a user: without a link, alive for [`LIFE`].
#[must_use]
pub fn undo_record(realm: &Realm, user: u64, n: u64) -> UndoRecord {
    UndoRecord {
        realm: realm.clone(),
        id: undo_id(n),
        user: user_id(user),
        change: UndoableChange::Phone,
        version: n,
        former: sealed("former state", n),
        reserved: None,
        token: None,
        tries_left: UNDO_TRIES,
        used: false,
        created_at: NOW,
        expires_at: NOW + LIFE,
    }
}

/// The n-th digest of a kind.
#[must_use]
pub fn digest(kind: &str, n: u64) -> Digest {
    Digest::from_bytes(bytes(kind, n))
}

/// The n-th sealed value of a kind: as opaque as a real one.
#[must_use]
pub fn sealed(kind: &str, n: u64) -> Sealed {
    Sealed::from_bytes([bytes(kind, n), bytes("tag", n)].concat())
}

/// The n-th blind index, under one key.
#[must_use]
pub fn email_index(n: u64) -> RingDigest {
    digest("email", n).into()
}

/// The same under two keys, the older one first or last.
#[must_use]
pub fn email_index_of_two(n: u64, older_first: bool) -> RingDigest {
    let (older, newer) = (digest("email", n), digest("email under a new key", n));
    if older_first { RingDigest::new(older, Some(newer)) } else { RingDigest::new(newer, Some(older)) }
}

/// The n-th person, sealed. The blind index is `email_index(n)`.
#[must_use]
pub fn person(n: u64) -> SealedPerson {
    SealedPerson {
        key: WrappedKey::from_bytes([bytes("wrapped key", n), bytes("tag", n)].concat()),
        email_index: email_index(n),
        first_name: sealed("first name", n),
        last_name: sealed("last name", n),
        email: sealed("email", n),
        phone: sealed("phone", n),
        country_code: sealed("country code", n),
        country: sealed("country", n),
        locale: Some(sealed("locale", n)),
    }
}

/// Roles of these names.
///
/// # Panics
/// If one is no name.
#[must_use]
pub fn roles(names: &[&str]) -> Roles {
    Roles::parse(names.iter().copied()).expect("names of roles")
}

/// The n-th account of a realm, version 1.
#[must_use]
pub fn user(realm: &Realm, n: u64) -> User {
    User {
        realm: realm.clone(),
        id: user_id(n),
        person: person(n),
        pending_email: None,
        previous_email: None,
        password: sealed("password", n),
        phone_verified: false,
        mfa_sms: false,
        factors: SealedFactors::default(),
        disabled: false,
        roles: Roles::default(),
        credentials_version: 0,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The n-th registration of a realm: made `n` milliseconds after [`NOW`], alive for [`LIFE`].
#[must_use]
pub fn registration(realm: &Realm, n: u64) -> Registration {
    let created_at = NOW + Duration::from_millis(n);
    Registration {
        realm: realm.clone(),
        id: user_id(n),
        person: person(n),
        password: sealed("password", n),
        created_at,
        expires_at: created_at + LIFE,
        network: digest("network", n),
        contested: false,
        failures: 0,
    }
}

/// The n-th session of a realm, the `user`-th user's, version 1: opened `n` milliseconds after [`NOW`], idle for
/// [`LIFE`] at most, alive for three.
#[must_use]
pub fn session(realm: &Realm, user: u64, n: u64) -> Session {
    let created_at = NOW + Duration::from_millis(n);
    Session {
        realm: realm.clone(),
        id: session_id(n),
        user: user_id(user),
        credentials_version: 0,
        user_agent: sealed("user agent", n),
        address: sealed("address", n),
        authenticated_at: created_at,
        created_at,
        last_used_at: created_at,
        idle_expires_at: created_at + LIFE,
        expires_at: created_at + LIFE * 3,
        current: digest("refresh token", n),
        previous: None,
        version: 1,
        methods: AuthMethods::PASSWORD,
        failures: 0,
    }
}

/// The n-th subject's holder.
#[must_use]
pub fn holder(realm: &Realm, purpose: Purpose, n: u64) -> TokenOwner {
    TokenOwner { realm: realm.clone(), purpose, subject: user_id(n) }
}

/// The n-th subject's one-time token with a code, made at [`NOW`], alive for [`LIFE`]. Its digests are
/// `digest("token", n)` and `digest("code", n)`.
#[must_use]
pub fn token(realm: &Realm, purpose: Purpose, n: u64) -> OneTimeToken {
    OneTimeToken {
        holder: holder(realm, purpose, n),
        token: digest("token", n),
        code: Some(digest("code", n)),
        tries_left: CODE_TRIES,
        binding: None,
        created_at: NOW,
        expires_at: NOW + LIFE,
    }
}

/// The n-th job of a realm, asked for `n` milliseconds after [`NOW`].
#[must_use]
pub fn job(realm: &Realm, n: u64, task: Task) -> Job {
    Job {
        id: job_id(n),
        realm: realm.clone(),
        task,
        attempts: 0,
        created_at: NOW + Duration::from_millis(n),
        trace: None,
    }
}

/// The n-th access token's claims: issued at [`NOW`] for half an hour.
#[must_use]
pub fn claims(realm: &Realm, n: u64) -> AccessClaims {
    AccessClaims {
        realm: realm.clone(),
        user: user_id(n),
        session: session_id(n),
        id: AccessTokenId::from_bytes(id("access token", n)),
        issued_at: NOW,
        expires_at: NOW + Duration::from_mins(30),
        authenticated_at: NOW - Duration::from_hours(1),
        methods: AuthMethods::PASSWORD,
        client_id: realm.to_string(),
        roles: Roles::default(),
    }
}

/// An address.
///
/// # Panics
/// If the text is not one.
#[must_use]
pub fn email(text: &str) -> Email {
    Email::parse(text).expect("an e-mail address")
}

/// A name.
///
/// # Panics
/// If the text is not one.
#[must_use]
pub fn name(text: &str) -> PersonName {
    PersonName::parse(text).expect("a name")
}

/// A password as presented.
///
/// # Panics
/// If the text is too long for one.
#[must_use]
pub fn password(text: &str) -> Password {
    Password::from_login_input(text).expect("a password")
}

/// A number with its country code, in E.164 form.
///
/// # Panics
/// If they are none or do not agree.
#[must_use]
pub fn phone(number: &str, country: &str) -> Phone {
    let country = CountryCode::parse(country).expect("a country code");
    Phone::parse(number, &country, PhoneValidation::E164).expect("a phone number")
}
