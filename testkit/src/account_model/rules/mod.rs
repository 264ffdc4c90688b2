//! The use cases as docs/http-api.md describes them. Each is a list of stages, the points where it may stop when a port
//! fails. A request that was answered went through all of them.

mod beginnings;
mod factors;
mod logins;
mod recovery;
mod sessions;

pub use self::logins::slot;

use super::driver::{Refusal, Request, TestRealm};
use super::state::{Account, Model};

/// A message the model waits for, and what its texts become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    pub to: String,
    pub template: &'static str,
    /// The name in it; of a text, whose it is.
    pub name: String,
    pub right: Right,
}

/// The right in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    None,
    /// Link and code of a registration.
    Verify,
    Reset,
    Change,
    /// The undo link of the newest change.
    Undo,
    /// The OTP of a phone.
    Phone,
    /// The OTP of a login.
    Login,
    /// The code of an enrolment.
    Enrolment,
}

/// A stage of a request: a point at which it may stop.
#[derive(Debug, Clone)]
pub struct StageOf {
    pub model: Model,
    pub messages: Vec<Awaited>,
}

/// The expected answer, and the place of each of its tokens in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Done,
    /// The id is that of the registration of this name, if there is one.
    Registered(String),
    /// The id is that of the account of this name.
    Verified(String),
    /// The token of this account's session of this place is handed out.
    Pair {
        name: String,
        session: usize,
        token: usize,
    },
    /// The same for its newest session, with the token of its newest device.
    Remembered {
        name: String,
        session: usize,
    },
    Mfa(String),
    Enrolment(String),
    Offer(String),
    /// The first session with a factor, and its backup codes.
    Enrolled(String),
    /// A factor without new backup codes.
    NoBackupCodes,
    /// They are those of this account.
    BackupCodes(String),
    /// It belongs to no account if there is no name.
    Challenge(Option<String>),
    Refused(Refusal),
}

/// A story from its first stage to its answer.
#[derive(Debug, Clone)]
pub struct Story {
    pub realm: TestRealm,
    pub stages: Vec<StageOf>,
    pub end: Expected,
}

impl Story {
    fn begin(model: &Model, realm: TestRealm) -> Self {
        let stages = vec![StageOf { model: model.clone(), messages: Vec::new() }];
        Self { realm, stages, end: Expected::Done }
    }

    /// One more stage.
    fn then(mut self, change: impl FnOnce(&mut StageOf)) -> Self {
        if let Some(last) = self.stages.last() {
            let mut stage = last.clone();
            change(&mut stage);
            self.stages.push(stage);
        }
        self
    }

    /// One more stage, in which an account has changed.
    fn change(self, name: &str, change: impl FnOnce(&mut Account)) -> Self {
        let realm = self.realm;
        self.then(|stage| {
            stage.model.people_mut(realm).account_mut(name).map(change);
        })
    }

    /// The same for a change that can be undone.
    fn change_undoably(self, name: &str, change: impl FnOnce(&mut Account)) -> Self {
        let realm = self.realm;
        self.then(|stage| {
            let now = stage.model.now;
            if let Some(account) = stage.model.people_mut(realm).account_mut(name) {
                account.remember(now, None);
                change(account);
            }
        })
    }

    /// One more stage, in which the owner is notified: at the old address too, while that notice is due.
    fn notice(self, name: &str, template: &'static str) -> Self {
        self.then(|_| {}).notice_in_last_stage(name, template)
    }

    /// The last stage notifies the owner too.
    fn notice_in_last_stage(mut self, name: &str, template: &'static str) -> Self {
        let realm = self.realm;
        let tell = |stage: &mut StageOf| {
            let Some(account) = stage.model.people(realm).account(name) else { return };
            let undoable = ["password_changed", "mfa_changed"].contains(&template);
            let right = if undoable { Right::Undo } else { Right::None };
            let told = [Some((account.email, right)), account.previous.map(|previous| (previous, Right::None))];
            let name = account.name.clone();
            let awaited =
                |(to, right): (&str, Right)| Awaited { to: to.to_owned(), template, name: name.clone(), right };
            stage.messages.extend(told.into_iter().flatten().map(awaited));
        };
        self.stages.last_mut().map(tell);
        self
    }

    /// The last stage changes an account too.
    fn in_last_stage(mut self, name: &str, change: impl FnOnce(&mut Account)) -> Self {
        let realm = self.realm;
        if let Some(last) = self.stages.last_mut() {
            last.model.people_mut(realm).account_mut(name).map(change);
        }
        self
    }

    /// All stages so far are one commit: the story stops before it or after it, never within.
    fn in_one_commit(mut self) -> Self {
        let last = self.stages.pop();
        self.stages.truncate(1);
        self.stages.extend(last);
        self
    }

    fn end(self, end: Expected) -> Self {
        Self { end, ..self }
    }

    fn refuse(self, refusal: Refusal) -> Self {
        self.end(Expected::Refused(refusal))
    }
}

impl Model {
    /// The stages of a request by the rules of docs/http-api.md.
    pub fn story(&self, realm: TestRealm, request: &Request) -> Story {
        let begin = Story::begin(self, realm);
        match request {
            Request::Register { name, phone, email, password } => self.register(begin, (name, phone), email, password),
            Request::FollowLink { token, .. } => self.follow_link(begin, token),
            Request::RejectLink { token } => self.reject_link(begin, token),
            Request::TypeCode { email, code, .. } => self.type_code(begin, email, code),
            Request::Resend { email } => begin.then(|stage| beginnings::resend(stage, realm, email)),
            Request::LogIn { email, password } => self.log_in(begin, email, password),
            Request::LogInFromDevice { email, password, device } => {
                self.log_in_from_device(begin, (email, password), device)
            }
            Request::SecondFactor { challenge, otp } => self.second_factor(begin, challenge, otp),
            Request::RememberDevice { challenge, otp } => self.remember_device(begin, challenge, otp),
            Request::PasskeyFactor { challenge, passkey } => self.passkey_factor(begin, challenge, passkey),
            Request::LogInWithPasskey { passkey } => self.log_in_with_passkey(begin, passkey),
            Request::ConfirmEnrolment { token, code } => self.confirm_enrolment(begin, token, code),
            Request::Enrol { offer, passkey } => self.enrol(begin, offer, passkey.as_deref()),
            Request::Refresh { token } => self.refresh(begin, token),
            Request::RequestReset { email } => self.request_reset(begin, email),
            Request::Reset { token, password } => self.reset(begin, token, password),
            Request::Undo { token, password } => self.undo(begin, token, *password),
            Request::SendOtp { id, phone } => self.send_otp(begin, id, phone),
            Request::VerifyOtp { challenge, otp } => self.verify_otp(begin, challenge, otp),
            Request::Disable { email } => self.disable(begin, email),
            Request::Enable { email } => self.enable(begin, email),
            Request::LogOut { access }
            | Request::LogOutEverywhere { access }
            | Request::ChangePassword { access, .. }
            | Request::ChangeEmail { access, .. }
            | Request::SetMfa { access, .. }
            | Request::AddApp { access, .. }
            | Request::RemoveApp { access, .. }
            | Request::AddPasskey { access, .. }
            | Request::RemovePasskey { access, .. }
            | Request::Delete { access, .. } => match self.people(realm).caller(access, self.now) {
                None => begin.refuse(Refusal::NotAuthenticated),
                Some((account, session)) => self.as_caller(begin, account, session, request),
            },
        }
    }

    fn as_caller(&self, begin: Story, account: &Account, session: usize, request: &Request) -> Story {
        let name = &account.name;
        match request {
            Request::LogOut { .. } => begin.change(name, |account| {
                account.sessions.remove(session);
            }),
            Request::LogOutEverywhere { .. } => begin.change(name, Account::end_rights),
            _ => {
                let given = match request {
                    Request::ChangePassword { current, .. } => Some(*current),
                    Request::ChangeEmail { password, .. }
                    | Request::SetMfa { password, .. }
                    | Request::AddApp { password, .. }
                    | Request::RemoveApp { password, .. }
                    | Request::AddPasskey { password, .. }
                    | Request::RemovePasskey { password, .. }
                    | Request::Delete { password, .. } => *password,
                    _ => return begin,
                };
                match self.reauthenticate(account, session, given) {
                    Err(Refusal::WrongPassword) => {
                        begin.change(name, |account| account.count_failure(session)).refuse(Refusal::WrongPassword)
                    }
                    allowed => self.reauthenticated(begin, (account, session), request, allowed),
                }
            }
        }
    }

    /// A request that is allowed only after recent authentication.
    fn reauthenticated(
        &self,
        begin: Story,
        (account, session): (&Account, usize),
        request: &Request,
        allowed: Result<(), Refusal>,
    ) -> Story {
        match (request, allowed) {
            (Request::ChangePassword { .. }, Err(refusal)) => begin.refuse(refusal),
            (Request::ChangePassword { new, .. }, Ok(())) => {
                recovery::change_password(begin, (account, session), new, self.now)
            }
            (Request::ChangeEmail { email, .. }, allowed) => recovery::change_email(begin, account, email, allowed),
            (Request::SetMfa { on, .. }, allowed) => recovery::set_mfa(begin, (account, session), *on, allowed),
            (Request::AddApp { .. }, allowed) => factors::add_app(begin, (account, session), allowed),
            (Request::RemoveApp { .. }, allowed) => factors::remove_app(begin, (account, session), allowed),
            (Request::AddPasskey { passkey, .. }, allowed) => {
                factors::add_passkey(begin, (account, session), passkey, allowed)
            }
            (Request::RemovePasskey { passkey, .. }, allowed) => {
                factors::remove_passkey(begin, (account, session), passkey, allowed)
            }
            (Request::Delete { .. }, allowed) => recovery::delete(begin, account, allowed),
            _ => begin,
        }
    }
}
