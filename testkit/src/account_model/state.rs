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
    BackupCode,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
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
    /// The unused ones that a client knows.
    pub backup_codes: Vec<String>,
    pub used_backup_codes: Vec<String>,
    /// By an operator: nothing of it answers.
    pub disabled: bool,
    pub phone_challenge: Option<Challenge>,
    pub login_challenge: Option<Challenge>,
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

impl Account {
    fn tidy(&mut self, now: Seconds) {
        self.change.take_if(|link| now >= link.expires || link.token.is_none());
        self.reset.take_if(|link| now >= link.expires || link.token.is_none());
        for challenge in [&mut self.phone_challenge, &mut self.login_challenge] {
            challenge.take_if(|challenge| now >= challenge.expires || challenge.token.is_none());
        }
        self.undos.retain(|undo| now < undo.expires);
        self.sessions.retain_mut(|session| {
            session.access.retain(|(_, expires)| now < *expires + LEEWAY);
            let shown = !session.access.is_empty() || session.tokens.iter().any(|token| token.text.is_some());
            shown && now < session.idle_expires && now < session.expires
        });
    }

    /// A change that can be undone: the state before it is kept.
    pub fn remember(&mut self, now: Seconds, reserved: Option<&'static str>) {
        self.undos.push(Undo {
            token: None,
            tries: TRIES,
            used: false,
            expires: now + UNDO,
            reserved,
            email: self.email,
            password: self.password,
            phone_verified: self.phone_verified,
            mfa: self.mfa,
            app: self.app,
            backup_codes: self.backup_codes.clone(),
        });
    }

    /// The place of the record with that undo link.
    pub fn undo_by(&self, token: &str, now: Seconds) -> Option<usize> {
        let is_it = |undo: &Undo| undo.token.as_deref() == Some(token) && !undo.used && now < undo.expires;
        self.undos.iter().position(is_it)
    }

    /// An undo link is used, and those of younger changes are dead.
    pub fn use_undo(&mut self, at: usize) {
        self.undos.iter_mut().skip(at).for_each(|undo| undo.used = true);
    }

    /// Every link and challenge is dead.
    pub fn forget_rights(&mut self) {
        self.change = None;
        self.reset = None;
        self.phone_challenge = None;
        self.login_challenge = None;
    }

    /// Whether a link of that token makes the address that waits the address.
    pub fn changes_by(&self, token: &str) -> bool {
        let link = self.change.as_ref().filter(|link| link.token.as_deref() == Some(token) && !self.disabled);
        link.is_some_and(|link| self.pending == Some(link.email))
    }

    /// A wrong password in a session. The fifth ends it.
    pub fn count_failure(&mut self, session: usize) {
        let Some(found) = self.sessions.get_mut(session) else { return };
        found.failures += 1;
        if found.failures >= SESSION_FAILURES {
            self.sessions.remove(session);
        }
    }

    /// A factor was switched: every right ends but the session that did it.
    pub fn end_rights_but(&mut self, session: usize) {
        let kept = self.sessions.get(session).cloned();
        self.end_rights();
        self.sessions.extend(kept);
    }

    /// Whether a login asks for a second factor.
    pub const fn has_factor(&self) -> bool {
        self.mfa || self.app.is_some()
    }

    /// A backup code is used. `false` if it is none of the unused ones.
    pub fn use_backup_code(&mut self, code: &str) -> bool {
        let Some(at) = self.backup_codes.iter().position(|unused| unused == code) else { return false };
        let used = self.backup_codes.remove(at);
        self.used_backup_codes.push(used);
        true
    }

    /// Backup codes go with the last factor.
    pub fn drop_useless_codes(&mut self) {
        if !self.has_factor() {
            self.backup_codes.clear();
        }
    }

    /// Every right that was given before has ended.
    pub fn end_rights(&mut self) {
        self.credentials_version += 1;
        self.sessions.clear();
        self.pending = None;
        self.forget_rights();
    }
}

impl Session {
    pub fn opened(now: Seconds, factor: ShownFactor) -> Self {
        Self {
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
