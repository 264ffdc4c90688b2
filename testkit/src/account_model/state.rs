//! One state of the service: accounts, their sessions and tokens. A token or code not yet seen is `None`.

use super::driver::TestRealm;

/// When something is over, and all times: seconds.
pub type Seconds = i64;

/// How long a pending registration, its link and the link of a new address live.
pub const VERIFY: Seconds = 86_400;
/// How long a reset link lives.
pub const RESET: Seconds = 1800;
/// How long an OTP lives.
pub const OTP: Seconds = 300;
/// How long the code of an enrolment lives, and after it the offer.
pub const ENROLMENT: Seconds = 600;
/// How long a device is remembered.
pub const DEVICE: Seconds = 30 * 86_400;
/// How long an access token lives.
pub const ACCESS: Seconds = 1800;
/// How far clocks may differ: an access token may still pass for so long.
pub const LEEWAY: Seconds = 30;
/// How long a session lives unused.
pub const IDLE: Seconds = 30 * 86_400;
/// How long a session lives.
pub const LONGEST: Seconds = 90 * 86_400;
/// How long after its exchange a refresh token gets the same successor.
pub const REISSUE: Seconds = 60;
/// How long a login is fresh.
pub const FRESH: Seconds = 900;
/// How long an undo link lives, and the reservation of a former address.
pub const UNDO: Seconds = 7 * 86_400;
/// Tries of a code.
pub const TRIES: u8 = 5;
/// Wrong passwords after which a session ends.
pub const SESSION_FAILURES: u8 = 5;
/// Registrations that wait for one address.
pub const PENDING: usize = 5;

/// The token in a link, and the code in the same message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub token: Option<String>,
    pub code: Option<String>,
    pub tries: u8,
    pub expires: Seconds,
    /// The address it is bound to.
    pub email: &'static str,
}

/// A challenge that an OTP answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub token: Option<String>,
    pub otp: Option<String>,
    pub tries: u8,
    pub expires: Seconds,
    pub credentials_version: u32,
}

/// Someone who waits for a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Unlike everybody else's.
    pub name: String,
    pub phone: String,
    pub id: Option<String>,
    pub email: &'static str,
    pub password: &'static str,
    pub link: Option<Link>,
    pub expires: Seconds,
}

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    pub text: Option<String>,
    pub tripwire: bool,
    pub successor: Option<usize>,
    pub rotated_at: Seconds,
}

/// An authenticator app that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct App;

/// The second factor that was shown at a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownFactor {
    None,
    Sms,
    /// A backup code or a passkey.
    Strong,
}

/// A remembered device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub token: Option<String>,
    /// The newest session that was opened from it.
    pub session: u32,
    pub expires: Seconds,
}

/// The factors that an account without one may begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub token: Option<String>,
    pub expires: Seconds,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// How many the account had before it.
    pub number: u32,
    pub tokens: Vec<Token>,
    pub access: Vec<(String, Seconds)>,
    pub authenticated_at: Seconds,
    pub factor: ShownFactor,
    /// Wrong passwords given in it.
    pub failures: u8,
    pub idle_expires: Seconds,
    pub expires: Seconds,
}

/// A change that can be undone, and the state before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub token: Option<String>,
    pub tries: u8,
    pub used: bool,
    pub expires: Seconds,
    /// The address before a change of it.
    pub reserved: Option<&'static str>,
    pub email: &'static str,
    pub password: &'static str,
    pub phone_verified: bool,
    pub mfa: bool,
    pub app: Option<App>,
    pub passkeys: Vec<String>,
    pub backup_codes: Vec<String>,
}

/// Someone with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub phone: String,
    pub id: Option<String>,
    pub email: &'static str,
    pub password: &'static str,
    pub credentials_version: u32,
    pub sessions: Vec<Session>,
    /// A new address that waits for its link.
    pub pending: Option<&'static str>,
    /// The old address, until it has been notified of the change.
    pub previous: Option<&'static str>,
    pub change: Option<Link>,
    pub reset: Option<Link>,
    /// Oldest first.
    pub undos: Vec<Undo>,
    pub phone_verified: bool,
    pub mfa: bool,
    pub app: Option<App>,
    pub passkeys: Vec<String>,
    pub devices: Vec<Device>,
    /// How many sessions it ever had.
    pub opened: u32,
    /// The unused ones that a client knows.
    pub backup_codes: Vec<String>,
    pub used_backup_codes: Vec<String>,
    /// By an operator: nothing of it answers.
    pub disabled: bool,
    pub phone_challenge: Option<Challenge>,
    pub login_challenge: Option<Challenge>,
    /// The challenge of a first factor.
    pub enrolment: Option<Challenge>,
    pub offer: Option<Offer>,
}

/// The people of a realm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// Oldest first.
    pub registrations: Vec<Registration>,
    pub accounts: Vec<Account>,
}

/// A state of the service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    pub now: Seconds,
    first: People,
    second: People,
}

impl Model {
    pub const fn people(&self, realm: TestRealm) -> &People {
        match realm {
            TestRealm::First => &self.first,
            TestRealm::Second => &self.second,
        }
    }

    pub const fn people_mut(&mut self, realm: TestRealm) -> &mut People {
        match realm {
            TestRealm::First => &mut self.first,
            TestRealm::Second => &mut self.second,
        }
    }

    /// Drops expired and unusable tokens: states that differ in nothing else are equal.
    pub fn tidy(&mut self) {
        let now = self.now;
        for people in [&mut self.first, &mut self.second] {
            people.registrations.retain(|registration| now < registration.expires);
            for registration in &mut people.registrations {
                registration.link.take_if(|link| now >= link.expires || link.token.is_none());
            }
            people.accounts.iter_mut().for_each(|account| account.tidy(now));
        }
    }
}

impl People {
    pub fn owner(&self, email: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.email == email)
    }

    /// The account that has an address, or for which it is reserved.
    pub fn holder(&self, email: &str, now: Seconds) -> Option<&Account> {
        let reserves = |undo: &Undo| undo.reserved == Some(email) && now < undo.expires;
        let reserved = || self.accounts.iter().find(|account| account.undos.iter().any(reserves));
        self.owner(email).or_else(reserved)
    }

    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    pub fn account_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.name == name)
    }

    pub fn registration_mut(&mut self, name: &str) -> Option<&mut Registration> {
        self.registrations.iter_mut().find(|registration| registration.name == name)
    }

    pub fn waiting(&self, email: &str) -> impl Iterator<Item = &Registration> {
        self.registrations.iter().filter(move |registration| registration.email == email)
    }

    pub fn drop_waiting(&mut self, email: &str) {
        self.registrations.retain(|registration| registration.email != email);
    }

    /// The account and the index of its session that the access token belongs to.
    pub fn caller(&self, access: &str, now: Seconds) -> Option<(&Account, usize)> {
        let is_it =
            |session: &Session| session.access.iter().any(|(text, expires)| text == access && now < *expires + LEEWAY);
        self.accounts.iter().find_map(|account| Some((account, account.sessions.iter().position(is_it)?)))
    }
}

impl Session {
    pub fn opened(now: Seconds, factor: ShownFactor) -> Self {
        Self {
            number: 0,
            tokens: vec![Token::default()],
            access: Vec::new(),
            authenticated_at: now,
            factor,
            failures: 0,
            idle_expires: now + IDLE,
            expires: now + LONGEST,
        }
    }
}
