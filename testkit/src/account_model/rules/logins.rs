//! Logins, second factors and phones.

use super::factors::keeps_factor;
use super::{Awaited, Expected, Right, Story};
use crate::account_model::driver::{Refusal, SentMessage};
use crate::account_model::state::{Account, Challenge, DEVICE, Device, Model, OTP, Session, ShownFactor, TRIES};

impl Model {
    pub(super) fn log_in(&self, begin: Story, email: &str, password: &str) -> Story {
        let people = self.people(begin.realm);
        let Some(owner) = people.owner(email).filter(|owner| !owner.disabled && owner.password == password) else {
            let waits = people.waiting(email).any(|waiting| waiting.password == password);
            return begin.refuse(if waits { Refusal::EmailNotVerified } else { Refusal::InvalidCredentials });
        };
        if !owner.has_factor() && keeps_factor(&begin) {
            return self.begin_enrolment(begin, owner);
        }
        if !owner.has_factor() {
            return self.open_session(begin, owner, ShownFactor::None);
        }
        let end = Expected::Mfa(owner.name.clone());
        self.challenge(begin, owner, Right::Login).end(end)
    }

    /// From a remembered device the password is enough. Any other token is as none.
    pub(super) fn log_in_from_device(&self, begin: Story, (email, password): (&str, &str), device: &str) -> Story {
        let owner = self.people(begin.realm).owner(email);
        let owner = owner.filter(|owner| !owner.disabled && owner.password == password && owner.has_factor());
        let known = |owner: &&Account| owner.devices.iter().any(|known| known.token.as_deref() == Some(device));
        let Some(owner) = owner.filter(known) else { return self.log_in(begin, email, password) };
        let (name, number) = (&owner.name, owner.opened);
        self.open_session(begin, owner, ShownFactor::None).in_last_stage(name, |account| {
            if let Some(known) = account.devices.iter_mut().find(|known| known.token.as_deref() == Some(device)) {
                known.session = number;
            }
        })
    }

    /// A second factor whose device is remembered.
    pub(super) fn remember_device(&self, begin: Story, challenge: &str, otp: &str) -> Story {
        let opened = self.second_factor(begin, challenge, otp);
        let Expected::Pair { name, session, .. } = opened.end.clone() else { return opened };
        let expires = self.now + DEVICE;
        opened
            .in_last_stage(&name, |account| {
                let session = account.opened - 1;
                account.devices.push(Device { token: None, session, expires });
            })
            .notice_in_last_stage(&name, "device_remembered")
            .end(Expected::Remembered { name, session })
    }

    pub(super) fn open_session(&self, before: Story, account: &Account, factor: ShownFactor) -> Story {
        let (name, session) = (account.name.clone(), account.sessions.len());
        let opened = Session::opened(self.now, factor);
        before.change(&name, |account| account.open(opened)).end(Expected::Pair { name, session, token: 0 })
    }

    /// A fresh challenge, then its text: the older one of its kind is dead.
    fn challenge(&self, before: Story, account: &Account, right: Right) -> Story {
        let challenge = Challenge {
            token: None,
            otp: None,
            tries: TRIES,
            expires: self.now + OTP,
            credentials_version: account.credentials_version,
        };
        let (to, name) = (account.phone.clone(), account.name.clone());
        let text = Awaited { to, template: SentMessage::TEXT, name, right };
        let asked = before.change(&account.name, |account| *slot(account, right) = Some(challenge));
        // a login sends no text where another factor is on, or SMS is none
        if (account.has_factor_beyond_sms() || !account.mfa) && right == Right::Login {
            asked
        } else {
            asked.then(|stage| stage.messages.push(text))
        }
    }

    pub(super) fn second_factor(&self, begin: Story, challenge: &str, otp: &str) -> Story {
        let Some(account) = self.challenged(&begin, challenge, Right::Login) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        let still = account.has_factor()
            && account
                .login_challenge
                .as_ref()
                .is_some_and(|waiting| waiting.credentials_version == account.credentials_version);
        if account.app.is_some() || !account.mfa || account.is_backup_code(otp) {
            return self.backup_code(begin, account, otp);
        }
        match answer(begin, account, Right::Login, otp) {
            Ok(right) if still => {
                let name = account.name.clone();
                self.open_session(right, account, ShownFactor::Sms)
                    .in_last_stage(&name, |account| account.login_challenge = None)
            }
            Ok(late) => late.refuse(Refusal::InvalidToken),
            Err(wrong) => wrong,
        }
    }

    /// A backup code in place of the factor; any other code is wrong where an app is on.
    fn backup_code(&self, begin: Story, account: &Account, code: &str) -> Story {
        let current = |waiting: &Challenge| waiting.credentials_version == account.credentials_version;
        if !account.login_challenge.as_ref().is_some_and(current)
            || !account.backup_codes.iter().any(|unused| unused == code)
        {
            return begin.refuse(Refusal::InvalidToken);
        }
        let name = &account.name;
        let used = |account: &mut Account| {
            account.use_backup_code(code);
            account.login_challenge = None;
        };
        self.open_session(begin, account, ShownFactor::Strong)
            .in_last_stage(name, used)
            .notice_in_last_stage(name, "backup_code_used")
    }

    pub(super) fn send_otp(&self, begin: Story, id: &str, phone: &str) -> Story {
        let mut accounts = self.people(begin.realm).accounts.iter();
        let owns = |account: &&Account| account.id.as_deref() == Some(id) && account.phone == phone;
        match accounts.find(|account| owns(account) && !account.disabled) {
            None => begin.end(Expected::Challenge(None)),
            Some(account) => {
                let end = Expected::Challenge(Some(account.name.clone()));
                self.challenge(begin, account, Right::Phone).end(end)
            }
        }
    }

    pub(super) fn verify_otp(&self, begin: Story, challenge: &str, otp: &str) -> Story {
        let Some(account) = self.challenged(&begin, challenge, Right::Phone) else {
            return begin.refuse(Refusal::InvalidToken);
        };
        match answer(begin, account, Right::Phone, otp) {
            Ok(late) if account.disabled => late.refuse(Refusal::InvalidToken),
            Ok(right) => right.change(&account.name, |account| {
                account.phone_challenge = None;
                account.phone_verified = true;
            }),
            Err(wrong) => wrong,
        }
    }

    /// The account that the challenge belongs to, if it can still be answered.
    pub(super) fn challenged(&self, story: &Story, challenge: &str, right: Right) -> Option<&Account> {
        self.people(story.realm).accounts.iter().find(|account| {
            let waiting = match right {
                Right::Login => &account.login_challenge,
                _ => &account.phone_challenge,
            };
            waiting.as_ref().is_some_and(|waiting| waiting.token.as_deref() == Some(challenge) && waiting.tries > 0)
        })
    }
}

impl Account {
    /// Whether a code has the form of a backup code.
    fn is_backup_code(&self, code: &str) -> bool {
        self.has_factor() && code.len() > 6
    }
}

/// Where an account keeps a challenge of that kind.
pub const fn slot(account: &mut Account, right: Right) -> &mut Option<Challenge> {
    match right {
        Right::Login => &mut account.login_challenge,
        Right::Enrolment => &mut account.enrolment,
        _ => &mut account.phone_challenge,
    }
}

/// The story after a right OTP, which spent a try and nothing more yet, or as it ends after a wrong one. An OTP that
/// was never sent is always wrong.
fn answer(begin: Story, account: &Account, right: Right, otp: &str) -> Result<Story, Story> {
    let waiting = match right {
        Right::Login => account.login_challenge.as_ref(),
        _ => account.phone_challenge.as_ref(),
    };
    let name = &account.name;
    match waiting.and_then(|waiting| waiting.otp.as_deref()) {
        Some(sent) => {
            let compared = begin.change(name, |account| {
                if let Some(waiting) = slot(account, right) {
                    waiting.tries -= 1;
                }
            });
            if sent == otp { Ok(compared) } else { Err(compared.refuse(Refusal::InvalidToken)) }
        }
        None => Err(begin.refuse(Refusal::InvalidToken)),
    }
}
