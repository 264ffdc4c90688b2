//! The operator's numbers, as plain data.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::country::Country;
use crate::model::password::PasswordRules;
use crate::model::phone::PhoneValidation;
use crate::model::quota::Quota;
use crate::model::realm::Realm;

/// The lifetimes of tokens, links and sessions.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Access tokens.
    pub access: Duration,
    /// Sessions that are not refreshed.
    pub refresh_idle: Duration,
    /// Sessions, whatever happens.
    pub refresh_max: Duration,
    /// Verification and e-mail-change links, and pending registrations with them.
    pub verify: Duration,
    /// Reset links.
    pub reset: Duration,
    /// OTPs and MFA challenges.
    pub otp: Duration,
    /// Undo links, and the reservation of a former address.
    pub undo: Duration,
}

/// How much mail strangers can cause to one address. Notices and undo links are not counted.
#[derive(Debug, Clone, Copy)]
pub struct MailQuotas {
    /// Of one kind and about one record.
    pub of_a_kind: Quota,
    /// To one address, of all kinds.
    pub to_an_address: Quota,
    /// To one address, caused from one network (/24, /48).
    pub from_a_network: Quota,
    /// Codes for the first factor to one account, each after the right password. They have a count of their own, so that
    /// strangers can't use it up.
    pub enrolment_codes: Quota,
}

/// The quotas of SMS and calls: each costs money, fraudsters earn from inflated traffic, and none may be used to
/// harass a stranger. All are counted per realm.
#[derive(Debug, Clone)]
pub struct SmsQuotas {
    /// Countries that numbers may be proven in, by the numbers' own digits; `None` is all of them.
    pub countries: Option<Vec<Country>>,
    /// To one account that proves its numbers, in a day.
    pub per_account: Quota,
    /// To one number, or for one account's logins, in a few minutes.
    pub cool_down: Quota,
    /// To one number, or for one account's logins, in a day.
    pub per_number: Quota,
    /// To all numbers that agree in everything but their last four digits: SMS pumping uses whole ranges.
    pub of_a_prefix: Quota,
    /// To such a range, without a code coming back: every right code gives one back.
    pub unanswered: Quota,
    /// In the whole realm, to prove numbers.
    pub per_realm: Quota,
    /// In the whole realm, for logins: high, because a client that exhausts it blocks the logins of others.
    pub of_logins: Quota,
}

/// Every setting of the use cases that an operator may change.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Shown to people; a password must not contain it.
    pub app_name: String,
    /// The lifetimes of tokens, links and sessions.
    pub lifetimes: Lifetimes,
    /// The rules for a new password.
    pub passwords: PasswordRules,
    /// Whether the mail server takes local parts beyond ASCII (RFC 6531).
    pub smtputf8: bool,
    /// The validation of a phone number.
    pub phones: PhoneValidation,
    /// `create` may tell that an address has an account.
    pub enumeration_allowed: bool,
    /// Whether anything is limited at all (off for benchmarks).
    pub limits_on: bool,
    /// How many registrations may wait for one address.
    pub pending_per_address: u32,
    /// How much mail one address may get.
    pub mail: MailQuotas,
    /// How many e-mail changes an account may ask for.
    pub email_changes: Quota,
    /// The quotas of SMS and calls, and the countries that are served.
    pub texts: SmsQuotas,
    /// How many changes of an account, made in its sessions, may be undone at one time: the next one is refused. An older
    /// record must not give way to it: a thief would push out the link that undoes the theft.
    pub undo_links: u32,
    /// A deletion without a password needs a login no older than this.
    pub fresh_login: Duration,
    /// The realms whose accounts must have a second factor.
    pub mfa_required: BTreeSet<Realm>,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

impl Default for Policy {
    fn default() -> Self {
        Self {
            app_name: "Portcullis".to_owned(),
            lifetimes: Lifetimes {
                access: Duration::from_secs(1800),
                refresh_idle: Duration::from_secs(30 * DAY),
                refresh_max: Duration::from_secs(90 * DAY),
                verify: Duration::from_secs(DAY),
                reset: Duration::from_secs(HOUR / 2),
                otp: Duration::from_secs(300),
                undo: Duration::from_secs(7 * DAY),
            },
            passwords: PasswordRules::nist_mfa(),
            smtputf8: false,
            phones: PhoneValidation::E164,
            enumeration_allowed: false,
            limits_on: true,
            pending_per_address: 5,
            mail: MailQuotas {
                of_a_kind: Quota::new(1, Duration::from_secs(60)),
                // twenty, and five of them from one network; then one an hour
                to_an_address: Quota::new(20, Duration::from_secs(20 * HOUR)),
                from_a_network: Quota::new(5, Duration::from_secs(5 * HOUR)),
                enrolment_codes: Quota::new(20, Duration::from_secs(DAY)),
            },
            email_changes: Quota::new(3, Duration::from_secs(DAY)),
            texts: SmsQuotas {
                countries: None,
                per_account: Quota::new(10, Duration::from_secs(DAY)),
                cool_down: Quota::new(3, Duration::from_secs(300)),
                per_number: Quota::new(20, Duration::from_secs(DAY)),
                of_a_prefix: Quota::new(200, Duration::from_secs(DAY)),
                unanswered: Quota::new(50, Duration::from_secs(DAY)),
                per_realm: Quota::new(1000, Duration::from_secs(DAY)),
                of_logins: Quota::new(20_000, Duration::from_secs(DAY)),
            },
            undo_links: 20,
            fresh_login: Duration::from_secs(15 * 60),
            mfa_required: BTreeSet::new(),
        }
    }
}
