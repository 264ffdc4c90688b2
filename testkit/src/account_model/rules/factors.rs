//! Authenticator apps, passkeys, and the first factor of an account that must have one.

use super::{Awaited, Expected, Right, Story};
use crate::account_model::driver::{Refusal, TestRealm};
use crate::account_model::state::{Account, App, Challenge, ENROLMENT, Model, Offer, Session, ShownFactor, TRIES};

/// Whether accounts of this realm must have a second factor.
pub(super) fn keeps_factor(story: &Story) -> bool {
    story.realm == TestRealm::Second
}

impl Model {
    /// The answer to the right password of an account that must have a factor and has none: the code of a mail.
    pub(super) fn begin_enrolment(&self, begin: Story, account: &Account) -> Story {
        let name = account.name.clone();
        let challenge = Challenge {
            token: None,
            otp: None,
            tries: TRIES,
            expires: self.now + ENROLMENT,
            credentials_version: account.credentials_version,
        };
        let (to, template) = (account.email.to_owned(), "enrolment_code");
        let mail = Awaited { to, template, name: name.clone(), right: Right::Enrolment };
        begin
            .change(&name, |account| account.enrolment = Some(challenge))
            .then(|stage| stage.messages.push(mail))
            .end(Expected::Enrolment(name))
    }

    /// A wrong code spends a try.
    pub(super) fn confirm_enrolment(&self, begin: Story, token: &str, code: &str) -> Story {
        let holds = |account: &&Account| {
            let waiting = account.enrolment.as_ref().filter(|waiting| waiting.token.as_deref() == Some(token));
            waiting.is_some_and(|waiting| waiting.tries > 0) && account.may_enrol()
        };
        let Some(account) = self.people(begin.realm).accounts.iter().find(holds) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let (name, expires) = (&account.name, self.now + ENROLMENT);
        let Some(sent) = account.enrolment.as_ref().and_then(|waiting| waiting.otp.clone()) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let tried = begin.change(name, |account| {
            if let Some(waiting) = &mut account.enrolment {
                waiting.tries -= 1;
            }
        });
        if !sent.eq_ignore_ascii_case(code) {
            return tried.refuse(Refusal::InvalidToken);
        }
        tried
            .change(name, |account| {
                account.enrolment = None;
                account.offer = Some(Offer { token: None, expires });
            })
            .end(Expected::Offer(name.clone()))
    }

    /// The first factor: with it the account is entered, and every older right ends.
    pub(super) fn enrol(&self, begin: Story, token: &str, passkey: Option<&str>) -> Story {
        let holds = |account: &&Account| {
            account.offer.as_ref().is_some_and(|offer| offer.token.as_deref() == Some(token)) && account.may_enrol()
        };
        let Some(account) = self.people(begin.realm).accounts.iter().find(holds) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let (name, opened) = (&account.name, Session::opened(self.now, ShownFactor::Strong));
        begin
            .change_undoably(name, |account| {
                match passkey {
                    Some(passkey) => account.passkeys.push(passkey.to_owned()),
                    None => account.app = Some(App),
                }
                account.end_rights();
                account.open(opened);
            })
            .notice(name, "mfa_changed")
            .in_one_commit()
            .end(Expected::Enrolled(name.clone()))
    }

    /// A passkey alone opens a session.
    pub(super) fn log_in_with_passkey(&self, begin: Story, passkey: &str) -> Story {
        let mut accounts = self.people(begin.realm).accounts.iter();
        match accounts.find(|account| account.has_passkey(passkey) && !account.disabled) {
            Some(account) => self.open_session(begin, account, ShownFactor::Strong),
            None => begin.refuse(Refusal::InvalidPasskey),
        }
    }

    /// A passkey as the answer to the challenge of a login.
    pub(super) fn passkey_factor(&self, begin: Story, challenge: &str, passkey: &str) -> Story {
        let current = |account: &&Account| {
            let waiting = account.login_challenge.as_ref();
            waiting.is_some_and(|waiting| waiting.credentials_version == account.credentials_version)
        };
        let challenged = self.challenged(&begin, challenge, Right::Login).filter(current);
        let Some(account) = challenged.filter(|account| account.has_passkey(passkey)) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let name = &account.name;
        self.open_session(begin, account, ShownFactor::Strong)
            .in_last_stage(name, |account| account.login_challenge = None)
    }
}

impl Account {
    fn has_passkey(&self, passkey: &str) -> bool {
        self.passkeys.iter().any(|known| known == passkey)
    }

    const fn may_enrol(&self) -> bool {
        !self.disabled && !self.has_factor()
    }
}

/// Whether a stronger factor than SMS was shown, where one is on.
fn ensure_strong(account: &Account, session: usize) -> Result<(), Refusal> {
    let shown = account.sessions.get(session).map_or(ShownFactor::None, |session| session.factor);
    if !account.has_factor_beyond_sms() || shown == ShownFactor::Strong {
        Ok(())
    } else {
        Err(Refusal::ReauthenticationRequired)
    }
}

/// A factor is switched: every other right ends, and the owner gets a notice.
fn switch(begin: Story, account: &Account, session: usize, change: impl FnOnce(&mut Account)) -> Story {
    let name = &account.name;
    begin
        .change_undoably(name, |account| {
            change(account);
            account.drop_useless_codes();
            account.end_rights_but(session);
        })
        .notice(name, "mfa_changed")
        .in_one_commit()
}

/// An authenticator app, switched on by its first code.
pub(super) fn add_app(begin: Story, (account, session): (&Account, usize), allowed: Result<(), Refusal>) -> Story {
    match allowed {
        Err(refusal) => return begin.refuse(refusal),
        Ok(()) if account.app.is_some() => return begin.refuse(Refusal::TotpOn),
        Ok(()) => {}
    }
    let add = |account: &mut Account| {
        account.app = Some(App);
        account.backup_codes.clear();
    };
    switch(begin, account, session, add).end(Expected::BackupCodes(account.name.clone()))
}

/// An SMS does not suffice.
pub(super) fn remove_app(begin: Story, (account, session): (&Account, usize), allowed: Result<(), Refusal>) -> Story {
    if account.app.is_none() {
        return begin;
    }
    if let Err(refusal) = allowed.and_then(|()| ensure_strong(account, session)) {
        return begin.refuse(refusal);
    }
    if keeps_factor(&begin) && !account.mfa && account.passkeys.is_empty() {
        return begin.refuse(Refusal::LastFactor);
    }
    switch(begin, account, session, |account| account.app = None)
}

/// A passkey. The first factor comes with backup codes.
pub(super) fn add_passkey(
    begin: Story,
    (account, session): (&Account, usize),
    passkey: &str,
    allowed: Result<(), Refusal>,
) -> Story {
    if let Err(refusal) = allowed.and_then(|()| ensure_strong(account, session)) {
        return begin.refuse(refusal);
    }
    let end = if account.has_factor() { Expected::NoBackupCodes } else { Expected::BackupCodes(account.name.clone()) };
    switch(begin, account, session, |account| account.passkeys.push(passkey.to_owned())).end(end)
}

/// An SMS does not suffice.
pub(super) fn remove_passkey(
    begin: Story,
    (account, session): (&Account, usize),
    passkey: &str,
    allowed: Result<(), Refusal>,
) -> Story {
    if let Err(refusal) = allowed.and_then(|()| ensure_strong(account, session)) {
        return begin.refuse(refusal);
    }
    if !account.has_passkey(passkey) {
        return begin.refuse(Refusal::NotFound);
    }
    if keeps_factor(&begin) && !account.mfa && account.app.is_none() && account.passkeys.len() == 1 {
        return begin.refuse(Refusal::LastFactor);
    }
    switch(begin, account, session, |account| account.passkeys.retain(|known| known != passkey))
}
