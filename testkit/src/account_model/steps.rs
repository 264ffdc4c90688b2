//! The steps of a sequence. They name things by how long ago they came, so that they make sense at any place in it.

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use super::driver::{Request, TestRealm};
use super::history::{History, LinkKind, newest};
use super::state::{FRESH, IDLE, Model, Seconds, Session, ShownFactor};
use crate::faults::When;

const EMAILS: [&str; 3] = ["ada@example.com", "Bob.B@example.org", "eve@example.net"];
const PASSWORDS: [&str; 2] = ["kq7!Zp2#vW9x-tulip", "Mj4$rB8?nL1c-garden"];
/// Before and after everything that has an end; three weeks are less than a session may lie unused, and twice three
/// weeks are more: what lives on was extended in between.
const PAUSES: [Seconds; 13] = [5, 57, 61, 180, 290, 310, 910, 1790, 1840, 86_390, 86_410, 21 * 86_400, 31 * 86_400];
/// Sessions that were unused for this time are refreshed, to test that a refresh extends them.
const UNUSED_FOR: Seconds = 20 * 86_400;

/// One step. `nth` counts back from the newest.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the members are those of the requests")]
pub enum Step {
    /// Someone registers.
    Register { realm: TestRealm, email: &'static str, password: &'static str },
    /// A link is followed, maybe in the wrong realm, maybe one of another kind.
    FollowLink { nth: u8, any: bool, elsewhere: bool },
    /// A registration or a new address is thrown away.
    RejectLink { nth: u8 },
    /// A code is typed; a wrong one if `wrong`.
    TypeCode { nth: u8, wrong: bool },
    /// The mail did not come.
    Resend { realm: TestRealm, email: &'static str },
    /// A login.
    LogIn { realm: TestRealm, email: &'static str, password: &'static str },
    /// The OTP of a login or of a phone, as it was sent or wrong, maybe for the other purpose.
    AnswerChallenge { nth: u8, wrong: bool, crossed: bool },
    /// A backup code, for the challenge of a login.
    AnswerWithBackupCode { nth: u8, code: u8 },
    /// A refresh; `lost` is the reply that never came, and an old `nth` is a thief.
    Refresh { nth: u8, lost: bool, elsewhere: bool },
    /// A logout.
    LogOut { nth: u8 },
    /// A logout everywhere.
    LogOutEverywhere { nth: u8 },
    /// A password is forgotten.
    RequestReset { realm: TestRealm, email: &'static str },
    /// A reset link is used.
    Reset { nth: u8, any: bool, password: &'static str },
    /// An undo link is used, without a password or with one.
    Undo { nth: u8, elsewhere: bool, password: Option<&'static str> },
    /// A password is changed.
    ChangePassword { nth: u8, current: &'static str, new: &'static str },
    /// An address is changed.
    ChangeEmail { nth: u8, email: &'static str, password: Option<&'static str> },
    /// An OTP is asked for.
    SendOtp { nth: u8 },
    /// The second factor is switched.
    SetMfa { nth: u8, on: bool, password: Option<&'static str> },
    /// An authenticator app is added.
    AddApp { nth: u8, password: Option<&'static str> },
    /// An authenticator app is removed.
    RemoveApp { nth: u8, password: Option<&'static str> },
    /// The account is deleted.
    Delete { nth: u8, password: Option<&'static str> },
    /// An operator disables the account of an address.
    Disable { realm: TestRealm, email: &'static str },
    /// An operator enables it again.
    Enable { realm: TestRealm, email: &'static str },
    /// Time passes.
    Pass { seconds: Seconds },
    /// A port breaks at its call of that number, before or after it did its work.
    Broken { call: u64, when: When, step: Box<Self> },
}

fn realm() -> BoxedStrategy<TestRealm> {
    prop_oneof![7 => Just(TestRealm::First), 1 => Just(TestRealm::Second)].boxed()
}

fn email() -> BoxedStrategy<&'static str> {
    let [ada, bob, eve] = EMAILS;
    prop_oneof![5 => Just(ada), 2 => Just(bob), 1 => Just(eve)].boxed()
}

fn password() -> BoxedStrategy<&'static str> {
    let [usual, other] = PASSWORDS;
    prop_oneof![3 => Just(usual), 1 => Just(other)].boxed()
}

fn nth() -> BoxedStrategy<u8> {
    prop_oneof![6 => Just(0u8), 2 => Just(1u8), 2 => 2u8..6].boxed()
}

fn rarely() -> BoxedStrategy<bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)].boxed()
}

/// Any step at all, broken ones too.
pub fn any_step() -> BoxedStrategy<Step> {
    let when = prop_oneof![Just(When::Before), Just(When::After)];
    let broken = (1u64..14, when, request_step()).prop_map(|(call, when, step)| Step::Broken {
        call,
        when,
        step: Box::new(step),
    });
    let pass = select(PAUSES.as_slice()).prop_map(|seconds| Step::Pass { seconds });
    prop_oneof![20 => request_step(), 3 => broken, 3 => pass].boxed()
}

fn request_step() -> BoxedStrategy<Step> {
    let register = (realm(), email(), password());
    let log_in = (realm(), email(), password());
    let challenge = (nth(), any::<bool>(), rarely());
    let proof = prop_oneof![1 => Just(None), 2 => password().prop_map(Some)];
    let beginnings = prop_oneof![
        5 => register.prop_map(|(realm, email, password)| Step::Register { realm, email, password }),
        5 => (nth(), rarely(), rarely()).prop_map(|(nth, any, elsewhere)| Step::FollowLink { nth, any, elsewhere }),
        1 => nth().prop_map(|nth| Step::RejectLink { nth }),
        3 => (nth(), any::<bool>()).prop_map(|(nth, wrong)| Step::TypeCode { nth, wrong }),
        1 => (realm(), email()).prop_map(|(realm, email)| Step::Resend { realm, email }),
    ];
    let logins = prop_oneof![
        7 => log_in.prop_map(|(realm, email, password)| Step::LogIn { realm, email, password }),
        6 => challenge.prop_map(|(nth, wrong, crossed)| Step::AnswerChallenge { nth, wrong, crossed }),
        2 => (nth(), nth()).prop_map(|(nth, code)| Step::AnswerWithBackupCode { nth, code }),
        7 => (nth(), rarely(), rarely()).prop_map(|(nth, lost, elsewhere)| Step::Refresh { nth, lost, elsewhere }),
        1 => nth().prop_map(|nth| Step::LogOut { nth }),
        1 => nth().prop_map(|nth| Step::LogOutEverywhere { nth }),
    ];
    let changes = prop_oneof![
        2 => (realm(), email()).prop_map(|(realm, email)| Step::RequestReset { realm, email }),
        2 => (nth(), rarely(), password()).prop_map(|(nth, any, password)| Step::Reset { nth, any, password }),
        2 => (nth(), password(), password()).prop_map(|(nth, current, new)| Step::ChangePassword { nth, current, new }),
        3 => (nth(), email(), proof.clone()).prop_map(|(nth, email, password)| Step::ChangeEmail { nth, email, password }),
        4 => nth().prop_map(|nth| Step::SendOtp { nth }),
        4 => (nth(), any::<bool>(), proof.clone()).prop_map(|(nth, on, password)| Step::SetMfa { nth, on, password }),
        2 => (nth(), rarely(), proof.clone()).prop_map(|(nth, elsewhere, password)| Step::Undo { nth, elsewhere, password }),
        2 => (nth(), proof.clone()).prop_map(|(nth, password)| Step::AddApp { nth, password }),
        2 => (nth(), proof.clone()).prop_map(|(nth, password)| Step::RemoveApp { nth, password }),
        1 => (nth(), proof).prop_map(|(nth, password)| Step::Delete { nth, password }),
        1 => (realm(), email()).prop_map(|(realm, email)| Step::Disable { realm, email }),
        1 => (realm(), email()).prop_map(|(realm, email)| Step::Enable { realm, email }),
    ];
    prop_oneof![4 => beginnings, 5 => logins, 4 => changes].boxed()
}

/// Steps that matter in this state: chance alone seldom gets through a second factor, or to a login that is not
/// fresh any more.
pub fn apt_steps(model: &Model) -> Vec<Step> {
    let mut apt = Vec::new();
    for realm in [TestRealm::First, TestRealm::Second] {
        let people = model.people(realm);
        if people.registrations.iter().any(|registration| registration.link.is_some()) {
            apt.push(Step::FollowLink { nth: 0, any: false, elsewhere: false });
        }
        for account in &people.accounts {
            apt.push(Step::LogIn { realm, email: account.email, password: account.password });
            if let Some(undo) = account.undos.iter().rev().find(|undo| undo.token.is_some() && !undo.used) {
                apt.push(Step::Undo { nth: 0, elsewhere: false, password: Some(undo.password) });
            }
            if account.pending.is_some() {
                apt.push(Step::FollowLink { nth: 0, any: false, elsewhere: false });
            }
            if account.login_challenge.is_some() || account.phone_challenge.is_some() {
                apt.push(Step::AnswerChallenge { nth: 0, wrong: false, crossed: false });
            }
            if account.login_challenge.is_some() && !account.backup_codes.is_empty() {
                apt.extend((0..3).map(|code| Step::AnswerWithBackupCode { nth: 0, code }));
            }
            if account.app.is_some() && account.sessions.iter().any(|session| session.factor == ShownFactor::BackupCode)
            {
                apt.push(Step::RemoveApp { nth: 0, password: None });
                apt.push(Step::AddApp { nth: 0, password: None });
            }
            let stale = |session: &Session| model.now - session.authenticated_at > FRESH && !session.access.is_empty();
            if account.sessions.iter().any(stale) {
                apt.push(Step::Delete { nth: 0, password: None });
                apt.push(Step::SetMfa { nth: 0, on: !account.mfa, password: None });
                let others = EMAILS.into_iter().filter(|email| *email != account.email);
                apt.extend(others.take(1).map(|email| Step::ChangeEmail { nth: 0, email, password: None }));
            }
            if account.disabled {
                apt.push(Step::Enable { realm, email: account.email });
            }
            let alone = |session: &Session| session.idle_expires - model.now < IDLE - UNUSED_FOR;
            if account.sessions.iter().any(alone) {
                apt.push(Step::Refresh { nth: 0, lost: false, elsewhere: false });
                apt.push(Step::Pass { seconds: UNUSED_FOR });
            }
            if account.reset.is_some() {
                apt.push(Step::Reset { nth: 0, any: false, password: account.password });
            }
            if account.phone_verified && !account.sessions.is_empty() {
                apt.push(Step::SetMfa { nth: 0, on: !account.mfa, password: Some(account.password) });
            } else {
                apt.push(Step::SendOtp { nth: 0 });
            }
        }
    }
    apt
}

impl Step {
    /// The request it comes to, if there is what it names.
    pub(super) fn request(&self, history: &History, now: Seconds) -> Option<(TestRealm, Request)> {
        let turned = |realm: TestRealm, elsewhere: bool| if elsewhere { realm.other() } else { realm };
        Some(match self {
            Self::Register { realm, email, password } => {
                let (name, phone) = (format!("Person{}", history.serial), format!("+1212444{:04}", history.serial));
                (*realm, Request::Register { name, phone, email, password })
            }
            Self::FollowLink { nth, any, elsewhere } => {
                let (realm, token) =
                    link(history, *nth, |kind| *any || matches!(kind, LinkKind::Verify | LinkKind::Change))?;
                let password = history.password_of(&token);
                (turned(realm, *elsewhere), Request::FollowLink { token, password })
            }
            Self::RejectLink { nth } => {
                let (realm, token) = link(history, *nth, |kind| matches!(kind, LinkKind::Verify | LinkKind::Change))?;
                (realm, Request::RejectLink { token })
            }
            Self::TypeCode { nth, wrong } => {
                let (realm, email, code) = newest(&history.codes, *nth)?.clone();
                let password = history.password_of(&code);
                let code = if *wrong { another(&code) } else { code.to_lowercase() };
                (realm, Request::TypeCode { email, code, password })
            }
            Self::Resend { realm, email } => (*realm, Request::Resend { email }),
            Self::LogIn { realm, email, password } => (*realm, Request::LogIn { email, password }),
            Self::AnswerChallenge { nth, wrong, crossed } => answer_to(history, *nth, *wrong, *crossed)?,
            Self::AnswerWithBackupCode { nth, code } => with_backup_code(history, *nth, *code)?,
            Self::Refresh { nth, elsewhere, .. } => {
                let (realm, token) = newest(&history.refresh, *nth)?.clone();
                (turned(realm, *elsewhere), Request::Refresh { token })
            }
            Self::RequestReset { realm, email } => (*realm, Request::RequestReset { email }),
            Self::Reset { nth, any, password } => {
                let (realm, token) = link(history, *nth, |kind| *any || kind == LinkKind::Reset)?;
                (realm, Request::Reset { token, password })
            }
            Self::Undo { nth, elsewhere, password } => {
                let (realm, token) = link(history, *nth, |kind| kind == LinkKind::Undo)?;
                (turned(realm, *elsewhere), Request::Undo { token, password: *password })
            }
            Self::SendOtp { nth } => {
                let (realm, id, phone) = newest(&history.people, *nth)?.clone();
                (realm, Request::SendOtp { id, phone })
            }
            Self::Disable { realm, email } => (*realm, Request::Disable { email }),
            Self::Enable { realm, email } => (*realm, Request::Enable { email }),
            Self::LogOut { nth }
            | Self::LogOutEverywhere { nth }
            | Self::ChangePassword { nth, .. }
            | Self::ChangeEmail { nth, .. }
            | Self::SetMfa { nth, .. }
            | Self::AddApp { nth, .. }
            | Self::RemoveApp { nth, .. }
            | Self::Delete { nth, .. } => {
                let (realm, access, _) = history.access(*nth, now)?.clone();
                (realm, self.of_caller(access)?)
            }
            Self::Pass { .. } => return None,
            Self::Broken { step, .. } => step.request(history, now)?,
        })
    }

    /// The request of a logged-in client.
    fn of_caller(&self, access: String) -> Option<Request> {
        Some(match *self {
            Self::LogOut { .. } => Request::LogOut { access },
            Self::LogOutEverywhere { .. } => Request::LogOutEverywhere { access },
            Self::ChangePassword { current, new, .. } => Request::ChangePassword { access, current, new },
            Self::ChangeEmail { email, password, .. } => Request::ChangeEmail { access, email, password },
            Self::SetMfa { on, password, .. } => Request::SetMfa { access, on, password },
            Self::AddApp { password, .. } => Request::AddApp { access, password },
            Self::RemoveApp { password, .. } => Request::RemoveApp { access, password },
            Self::Delete { password, .. } => Request::Delete { access, password },
            _ => return None,
        })
    }

    /// Whether the client never reads the answer.
    pub(super) fn loses_reply(&self) -> bool {
        match self {
            Self::Refresh { lost, .. } => *lost,
            Self::Broken { step, .. } => step.loses_reply(),
            _ => false,
        }
    }
}

/// The answer to a challenge, as it was sent or wrong, maybe for the other purpose.
fn answer_to(history: &History, nth: u8, wrong: bool, crossed: bool) -> Option<(TestRealm, Request)> {
    let asked = newest(&history.challenges, nth)?;
    let sent = asked.otp.as_deref().unwrap_or("123456");
    let (challenge, otp) = (asked.token.clone(), if wrong { another(sent) } else { sent.to_owned() });
    let login = asked.login != crossed;
    let answer = if login { Request::SecondFactor { challenge, otp } } else { Request::VerifyOtp { challenge, otp } };
    Some((asked.realm, answer))
}

/// A backup code as the answer to a challenge, maybe of another account.
fn with_backup_code(history: &History, nth: u8, code: u8) -> Option<(TestRealm, Request)> {
    let (asked, (_, code)) = (newest(&history.challenges, nth)?, newest(&history.backup_codes, code)?);
    Some((asked.realm, Request::SecondFactor { challenge: asked.token.clone(), otp: code.clone() }))
}

/// The n-th newest link of the kinds that are wanted.
fn link(history: &History, nth: u8, wanted: impl Fn(LinkKind) -> bool) -> Option<(TestRealm, String)> {
    let mut found = history.links.iter().rev().filter(|(.., kind)| wanted(*kind));
    found.nth(usize::from(nth)).map(|(realm, token, _)| (*realm, token.clone()))
}

/// A code like this one, but another: digits stay digits, and letters are ones a code can have.
fn another(code: &str) -> String {
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    let turn = |c: char| match (digits, c) {
        (true, '0'..='8') => char::from_u32(u32::from(c) + 1).unwrap_or('0'),
        (true, _) => '0',
        (false, 'A') => 'C',
        (false, _) => 'A',
    };
    code.chars().enumerate().map(|(at, c)| if at == 0 { turn(c) } else { c }).collect()
}
