//! The rights, sessions, factors and devices of an account, and how they change.

use super::state::{Account, LEEWAY, SESSION_FAILURES, Seconds, Session, TRIES, UNDO, Undo};

impl Account {
    pub(super) fn tidy(&mut self, now: Seconds) {
        self.change.take_if(|link| now >= link.expires || link.token.is_none());
        self.reset.take_if(|link| now >= link.expires || link.token.is_none());
        self.offer.take_if(|offer| now >= offer.expires || offer.token.is_none());
        self.devices.retain(|device| now < device.expires && device.token.is_some());
        for challenge in [&mut self.phone_challenge, &mut self.login_challenge, &mut self.enrolment] {
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
            passkeys: self.passkeys.clone(),
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
        self.enrolment = None;
        self.offer = None;
    }

    /// A new session.
    pub fn open(&mut self, session: Session) {
        self.sessions.push(Session { number: self.opened, ..session });
        self.opened += 1;
    }

    /// A stolen session ends, and the devices that it was the newest one of are forgotten.
    pub fn end_stolen(&mut self, session: usize) {
        let stolen = self.sessions.remove(session).number;
        self.devices.retain(|device| device.session != stolen);
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
        self.mfa || self.has_factor_beyond_sms()
    }

    /// Whether a factor is on that SMS can't stand in for.
    pub const fn has_factor_beyond_sms(&self) -> bool {
        self.app.is_some() || !self.passkeys.is_empty()
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
        self.devices.clear();
        self.pending = None;
        self.forget_rights();
    }
}
