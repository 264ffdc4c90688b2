//! The steps of a sequence. They name things by how long ago they came, so that they make sense at any place in it.

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use super::driver::TestRealm;
use super::state::{Account, FRESH, IDLE, Model, Seconds, Session, ShownFactor};
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
    /// The same, and the device is remembered; with the OTP of the challenge if there is no `code`.
    RememberDevice { nth: u8, code: Option<u8> },
    /// A login from a remembered device.
    LogInFromDevice { nth: u8, password: &'static str, elsewhere: bool },
    /// A passkey, for the challenge of a login.
    AnswerWithPasskey { nth: u8, passkey: u8 },
    /// A login with a passkey alone.
    LogInWithPasskey { nth: u8, elsewhere: bool },
    /// The mailed code of a first factor, or a wrong one.
    ConfirmEnrolment { nth: u8, wrong: bool, elsewhere: bool },
    /// The first factor: a passkey, or an authenticator app.
    Enrol { nth: u8, passkey: bool },
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
    /// A passkey is added.
    AddPasskey { nth: u8, password: Option<&'static str> },
    /// A passkey is removed, maybe of another account.
    RemovePasskey { nth: u8, passkey: u8, password: Option<&'static str> },
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
        2 => (nth(), prop_oneof![Just(None), nth().prop_map(Some)]).prop_map(|(nth, code)| Step::RememberDevice { nth, code }),
        2 => (nth(), password(), rarely()).prop_map(|(nth, password, elsewhere)| Step::LogInFromDevice { nth, password, elsewhere }),
        2 => (nth(), nth()).prop_map(|(nth, passkey)| Step::AnswerWithPasskey { nth, passkey }),
        2 => (nth(), rarely()).prop_map(|(nth, elsewhere)| Step::LogInWithPasskey { nth, elsewhere }),
        1 => (nth(), any::<bool>(), rarely()).prop_map(|(nth, wrong, elsewhere)| Step::ConfirmEnrolment { nth, wrong, elsewhere }),
        1 => (nth(), any::<bool>()).prop_map(|(nth, passkey)| Step::Enrol { nth, passkey }),
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
        2 => (nth(), proof.clone()).prop_map(|(nth, password)| Step::AddPasskey { nth, password }),
        2 => (nth(), nth(), proof.clone()).prop_map(|(nth, passkey, password)| Step::RemovePasskey { nth, passkey, password }),
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
            apt.extend(apt_factors(account));
            // with a device that is not remembered any more, too
            if account.has_factor() {
                apt.push(Step::LogInFromDevice { nth: 0, password: account.password, elsewhere: false });
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

/// Steps with the factors of an account.
fn apt_factors(account: &Account) -> Vec<Step> {
    let mut apt = Vec::new();
    let strong = account.sessions.iter().any(|session| session.factor == ShownFactor::Strong);
    if account.app.is_some() && strong {
        apt.push(Step::RemoveApp { nth: 0, password: None });
        apt.push(Step::AddApp { nth: 0, password: None });
    }
    if !account.passkeys.is_empty() {
        apt.push(Step::LogInWithPasskey { nth: 0, elsewhere: false });
        if account.login_challenge.is_some() {
            apt.push(Step::AnswerWithPasskey { nth: 0, passkey: 0 });
        }
        if strong {
            apt.push(Step::AddPasskey { nth: 0, password: None });
            apt.push(Step::RemovePasskey { nth: 0, passkey: 0, password: None });
        }
    }
    if account.login_challenge.is_some() {
        let code = (!account.backup_codes.is_empty()).then_some(0);
        apt.push(Step::RememberDevice { nth: 0, code });
    }
    if account.enrolment.as_ref().is_some_and(|waiting| waiting.otp.is_some()) {
        apt.push(Step::ConfirmEnrolment { nth: 0, wrong: false, elsewhere: false });
    }
    if account.offer.is_some() {
        apt.extend([true, false].map(|passkey| Step::Enrol { nth: 0, passkey }));
    }
    apt
}
