//! Passwords, addresses, the phone as a factor, and the end.

use super::factors::keeps_factor;
use super::{Awaited, Expected, Right, Story};
use crate::account_model::driver::Refusal;
use crate::account_model::state::{Account, FRESH, Link, Model, RESET, Seconds, Session, ShownFactor, VERIFY};

impl Model {
    pub(super) fn request_reset(&self, begin: Story, email: &'static str) -> Story {
        let owner = self.people(begin.realm).owner(email);
        let Some(owner) = owner.filter(|owner| !owner.disabled) else { return begin };
        let link = Link { token: None, code: None, tries: 0, expires: self.now + RESET, email };
        let (realm, name) = (begin.realm, owner.name.clone());
        begin.then(|stage| {
            if let Some(account) = stage.model.people_mut(realm).account_mut(&name) {
                account.reset = Some(link);
            }
            let (to, template) = (email.to_owned(), "mail_password_reset");
            stage.messages.push(Awaited { to, template, name, right: Right::Reset });
        })
    }

    pub(super) fn reset(&self, begin: Story, token: &str, password: &'static str) -> Story {
        let realm = begin.realm;
        let holds = |account: &&Account| account.reset_link().is_some_and(|link| link.token.as_deref() == Some(token));
        let Some(account) = self.people(realm).accounts.iter().find(holds) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let name = &account.name;
        new_password(begin, name, password).notice(name, "password_changed").in_one_commit()
    }

    /// Without a password the account is disabled. With the one from before the change it gets its former state and a
    /// reset link; a try is taken before the password is compared.
    pub(super) fn undo(&self, begin: Story, token: &str, password: Option<&'static str>) -> Story {
        let realm = begin.realm;
        let of_token = |account: &Account| account.undo_by(token, self.now).map(|at| (account.name.clone(), at));
        let found = self.people(realm).accounts.iter().find_map(of_token);
        let Some((name, at)) = found else { return begin.refuse(Refusal::InvalidToken) };
        let Some(undo) = self.people(realm).account(&name).and_then(|account| account.undos.get(at)).cloned() else {
            return begin;
        };
        let Some(password) = password else {
            return begin.change(&name, |account| {
                account.disabled = true;
                account.use_undo(at);
                account.end_rights();
            });
        };
        if undo.tries == 0 {
            return begin.refuse(Refusal::WrongPassword);
        }
        let tries = |story: Story, tries: u8| {
            story.change(&name, |account| {
                if let Some(undo) = account.undos.get_mut(at) {
                    undo.tries = tries;
                }
            })
        };
        let tried = tries(begin, undo.tries - 1);
        if password != undo.password {
            return tried.refuse(Refusal::WrongPassword);
        }
        tries(tried, undo.tries).then(|stage| {
            let expires = stage.model.now + RESET;
            let people = stage.model.people_mut(realm);
            let email = undo.email;
            if people.account(&name).is_some_and(|account| account.email != email) {
                people.drop_waiting(email);
            }
            let Some(account) = people.account_mut(&name) else { return };
            account.use_undo(at);
            account.end_rights();
            (account.email, account.password, account.previous) = (email, undo.password, None);
            account.phone_verified |= undo.phone_verified;
            account.mfa |= undo.mfa;
            account.app = undo.app;
            account.passkeys.clone_from(&undo.passkeys);
            account.backup_codes.clone_from(&undo.backup_codes);
            account.backup_codes.retain(|code| !account.used_backup_codes.contains(code));
            account.drop_useless_codes();
            if account.disabled {
                return;
            }
            account.reset = Some(Link { token: None, code: None, tries: 0, expires, email });
            let (to, template) = (email.to_owned(), "mail_password_reset");
            stage.messages.push(Awaited { to, template, name: name.clone(), right: Right::Reset });
        })
    }

    /// Whether a caller may change how the account is entered or its owner is reached: after a recent login, or with
    /// the password. A password that is given must be right. Where a second factor is on, the login must have shown it.
    pub(super) fn reauthenticate(
        &self,
        account: &Account,
        session: usize,
        password: Option<&str>,
    ) -> Result<(), Refusal> {
        let since = account.sessions.get(session).map_or(i64::MAX, |session| self.now - session.authenticated_at);
        let factor = account.sessions.get(session).is_some_and(|session| session.factor != ShownFactor::None);
        match password {
            Some(password) if password != account.password => Err(Refusal::WrongPassword),
            None if since > FRESH => Err(Refusal::ReauthenticationRequired),
            _ if account.has_factor() && !factor => Err(Refusal::ReauthenticationRequired),
            _ => Ok(()),
        }
    }

    /// Every right of the account ends with it.
    pub(super) fn disable(&self, begin: Story, email: &str) -> Story {
        let Some(owner) = self.people(begin.realm).owner(email) else { return begin.refuse(Refusal::NotFound) };
        let word = |account: &mut Account| {
            account.disabled = true;
            account.end_rights();
        };
        if owner.disabled { begin } else { begin.change(&owner.name, word) }
    }

    pub(super) fn enable(&self, begin: Story, email: &str) -> Story {
        let Some(owner) = self.people(begin.realm).owner(email) else { return begin.refuse(Refusal::NotFound) };
        if !owner.disabled {
            return begin;
        }
        begin.change(&owner.name, |account| {
            account.forget_rights();
            account.disabled = false;
        })
    }
}

impl Account {
    /// The reset link, while the address it was mailed to is the account's.
    pub fn reset_link(&self) -> Option<&Link> {
        self.reset.as_ref().filter(|link| link.email == self.email && !self.disabled)
    }
}

/// Another password: every right of the old one ends.
fn new_password(before: Story, name: &str, password: &'static str) -> Story {
    before.change_undoably(name, |account| {
        account.password = password;
        account.end_rights();
    })
}

/// Another password, and a new session for the one who changed it.
pub(super) fn change_password(
    begin: Story,
    (account, session): (&Account, usize),
    password: &'static str,
    now: Seconds,
) -> Story {
    let name = &account.name;
    let of_caller = account.sessions.get(session);
    let factor = of_caller.map_or(ShownFactor::None, |session| session.factor);
    // the password was shown now, a second factor at the login
    let shown_at = of_caller.filter(|_| account.has_factor()).map_or(now, |session| session.authenticated_at);
    let opened = Session { authenticated_at: shown_at, ..Session::opened(now, factor) };
    new_password(begin, name, password)
        .change(name, |account| account.open(opened))
        .notice(name, "password_changed")
        .in_one_commit()
        .end(Expected::Pair { name: name.clone(), session: 0, token: 0 })
}

pub(super) fn change_email(
    begin: Story,
    account: &Account,
    email: &'static str,
    allowed: Result<(), Refusal>,
) -> Story {
    let name = &account.name;
    if account.email == email {
        return match account.pending {
            None => begin,
            Some(_) => begin.change(name, |account| {
                account.pending = None;
                account.change = None;
            }),
        };
    }
    if account.pending == Some(email) {
        return confirm(begin, account, email);
    }
    if let Err(refusal) = allowed {
        return begin.refuse(refusal);
    }
    let asked = begin.change(name, |account| {
        account.pending = Some(email);
        account.change = None;
    });
    confirm(asked, account, email).notice(name, "email_change_requested").in_one_commit()
}

/// The link of a new address is mailed; or, if the address has an account, a word to its owner.
fn confirm(before: Story, account: &Account, email: &'static str) -> Story {
    let (realm, name) = (before.realm, account.name.clone());
    before.then(|stage| {
        let now = stage.model.now;
        let expires = now + VERIFY;
        let people = stage.model.people_mut(realm);
        let to = email.to_owned();
        let holder = people.holder(email, now).map(|holder| holder.name.clone());
        if let Some(holder) = holder.filter(|holder| *holder != name) {
            stage.messages.push(Awaited { to, template: "already_registered", name: holder, right: Right::None });
            return;
        }
        if let Some(account) = people.account_mut(&name) {
            account.change = Some(Link { token: None, code: None, tries: 0, expires, email });
        }
        stage.messages.push(Awaited { to, template: "email_change_confirm", name, right: Right::Change });
    })
}

pub(super) fn delete(begin: Story, account: &Account, allowed: Result<(), Refusal>) -> Story {
    let realm = begin.realm;
    if let Err(refusal) = allowed {
        return begin.refuse(refusal);
    }
    let (name, email) = (&account.name, account.email);
    begin
        .change(name, Account::forget_rights)
        .then(|stage| stage.model.people_mut(realm).drop_waiting(email))
        .then(|stage| stage.model.people_mut(realm).accounts.retain(|account| account.name != *name))
        .then(|stage| {
            let (to, name) = (email.to_owned(), name.clone());
            stage.messages.push(Awaited { to, template: "account_deleted", name, right: Right::None });
        })
        .in_one_commit()
}

pub(super) fn set_mfa(
    begin: Story,
    (account, session): (&Account, usize),
    on: bool,
    allowed: Result<(), Refusal>,
) -> Story {
    let name = &account.name;
    match allowed {
        _ if on == account.mfa => return begin,
        Err(refusal) => return begin.refuse(refusal),
        Ok(()) if on && !account.phone_verified => return begin.refuse(Refusal::PhoneNotVerified),
        Ok(()) if !on && keeps_factor(&begin) && !account.has_factor_beyond_sms() => {
            return begin.refuse(Refusal::LastFactor);
        }
        Ok(()) => {}
    }
    begin
        .change_undoably(name, |account| {
            account.mfa = on;
            account.drop_useless_codes();
            account.end_rights_but(session);
        })
        .notice(name, "mfa_changed")
        .in_one_commit()
        .end(Expected::Done)
}
