//! Registrations, and what becomes of them.

use super::{Awaited, Expected, Right, StageOf, Story};
use crate::account_model::driver::{Refusal, TestRealm};
use crate::account_model::state::{Account, Link, Model, PENDING, Registration, TRIES, VERIFY};

impl Model {
    pub(super) fn register(
        &self,
        begin: Story,
        (name, phone): (&str, &str),
        email: &'static str,
        password: &'static str,
    ) -> Story {
        let realm = begin.realm;
        let end = Expected::Registered(name.to_owned());
        // all come from one network: its oldest gives way
        let crowded = self.people(realm).waiting(email).count() >= PENDING;
        let oldest = self.people(realm).waiting(email).next().filter(|_| crowded).map(|oldest| oldest.name.clone());
        let registration = Registration {
            name: name.to_owned(),
            phone: phone.to_owned(),
            id: None,
            email,
            password,
            link: None,
            expires: self.now + VERIFY,
        };
        begin
            .then(|stage| {
                let registrations = &mut stage.model.people_mut(realm).registrations;
                registrations.retain(|one| Some(&one.name) != oldest.as_ref());
                registrations.push(registration);
            })
            .then(|stage| deliver(stage, realm, name))
            .end(end)
    }

    pub(super) fn follow_link(&self, begin: Story, token: &str) -> Story {
        let realm = begin.realm;
        let people = self.people(realm);
        let shows = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.token.as_deref() == Some(token));
        if let Some(registration) = people.registrations.iter().find(|registration| shows(&registration.link)) {
            return self.activate_registration(begin, registration);
        }
        match people.accounts.iter().find(|account| account.changes_by(token)) {
            Some(account) => self.change_address(begin, account),
            None => begin.refuse(Refusal::InvalidToken),
        }
    }

    /// A registration whose link or code was shown becomes an account, unless its address has one.
    fn activate_registration(&self, begin: Story, registration: &Registration) -> Story {
        let realm = begin.realm;
        let people = self.people(realm);
        let (name, email) = (&registration.name, registration.email);
        if people.holder(email, self.now).is_some() || people.account(name).is_some() {
            return begin.refuse(Refusal::InvalidToken);
        }
        begin
            .then(|stage| {
                let people = stage.model.people_mut(realm);
                people.accounts.push(account(registration));
                people.registrations.retain(|one| one.name != *name);
            })
            .notice_in_last_stage(name, "registration")
            .end(Expected::Verified(name.clone()))
    }

    /// The pending address becomes the account's address, unless another account has it by now.
    fn change_address(&self, begin: Story, account: &Account) -> Story {
        let realm = begin.realm;
        let Some(new) = account.pending else { return begin };
        if self.people(realm).holder(new, self.now).is_some_and(|holder| holder.name != account.name) {
            return begin.refuse(Refusal::InvalidToken);
        }
        let (name, old) = (account.name.clone(), account.email);
        let told = Awaited { to: old.to_owned(), template: "email_changed", name: name.clone(), right: Right::Undo };
        begin
            .then(|stage| {
                let now = stage.model.now;
                let people = stage.model.people_mut(realm);
                people.drop_waiting(new);
                if let Some(account) = people.account_mut(&name) {
                    account.remember(now, Some(old));
                    account.email = new;
                    account.previous = Some(old);
                    account.end_rights();
                }
            })
            .then(|stage| {
                stage.messages.push(told);
                if let Some(account) = stage.model.people_mut(realm).account_mut(&name) {
                    account.previous = None;
                }
            })
            .end(Expected::Verified(name))
    }

    pub(super) fn reject_link(&self, begin: Story, token: &str) -> Story {
        let realm = begin.realm;
        let people = self.people(realm);
        // also where another account has the new address by now
        if let Some(account) = people.accounts.iter().find(|account| account.changes_by(token)) {
            return begin.change(&account.name, |account| {
                account.change = None;
                account.pending = None;
            });
        }
        if self.follow_link(begin.clone(), token).stages.len() == 1 {
            return begin.refuse(Refusal::InvalidToken);
        }
        let of_token = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.token.as_deref() == Some(token));
        match people.registrations.iter().find(|registration| of_token(&registration.link)) {
            Some(registration) => begin.then(|stage| forget(stage, realm, &registration.name)),
            None => begin,
        }
    }

    /// Every pending registration of the address is tried in turn; a wrong code spends a try of each.
    pub(super) fn type_code(&self, begin: Story, email: &str, code: &str) -> Story {
        let realm = begin.realm;
        let mut story = begin;
        for registration in self.people(realm).waiting(email) {
            let name = &registration.name;
            let Some(link) = registration.link.as_ref().filter(|link| link.tries > 0) else { continue };
            story = story.then(|stage| {
                let link = stage.model.people_mut(realm).registration_mut(name).and_then(|r| r.link.as_mut());
                if let Some(link) = link {
                    link.tries -= 1;
                }
            });
            if link.code.as_deref().is_some_and(|right| right.eq_ignore_ascii_case(code)) {
                return self.activate_registration(story, registration);
            }
        }
        story.refuse(Refusal::InvalidToken)
    }
}

fn account(registration: &Registration) -> Account {
    Account {
        name: registration.name.clone(),
        phone: registration.phone.clone(),
        id: registration.id.clone(),
        email: registration.email,
        password: registration.password,
        credentials_version: 1,
        sessions: Vec::new(),
        pending: None,
        previous: None,
        change: None,
        reset: None,
        undos: Vec::new(),
        phone_verified: false,
        mfa: false,
        app: None,
        passkeys: Vec::new(),
        devices: Vec::new(),
        opened: 0,
        backup_codes: Vec::new(),
        used_backup_codes: Vec::new(),
        disabled: false,
        phone_challenge: None,
        login_challenge: None,
        enrolment: None,
        offer: None,
    }
}

fn forget(stage: &mut StageOf, realm: TestRealm, name: &str) {
    stage.model.people_mut(realm).registrations.retain(|registration| registration.name != name);
}

/// Mails a fresh link and code, or tells the owner of the address.
fn deliver(stage: &mut StageOf, realm: TestRealm, name: &str) {
    let now = stage.model.now;
    let people = stage.model.people_mut(realm);
    let Some(email) = people.registration_mut(name).map(|registration| registration.email) else { return };
    if let Some(holder) = people.holder(email, now).map(|holder| holder.name.clone()) {
        let told = Awaited { to: email.to_owned(), template: "already_registered", name: holder, right: Right::None };
        stage.messages.push(told);
        return;
    }
    if let Some(registration) = people.registration_mut(name) {
        let expires = registration.expires;
        registration.link = Some(Link { token: None, code: None, tries: TRIES, expires, email });
    }
    let (to, name) = (email.to_owned(), name.to_owned());
    stage.messages.push(Awaited { to, template: "mail_email_verify", name, right: Right::Verify });
}

/// Sends the verification e-mail again for each pending registration.
pub(super) fn resend(stage: &mut StageOf, realm: TestRealm, email: &str) {
    let names: Vec<String> = stage.model.people(realm).waiting(email).map(|waiting| waiting.name.clone()).collect();
    for name in names {
        deliver(stage, realm, &name);
    }
}
