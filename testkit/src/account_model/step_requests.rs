//! The request that a step comes to, with what clients know at that point.

use super::driver::{Request, TestRealm};
use super::history::{History, KnownDevice, LinkKind, newest};
use super::state::Seconds;
use super::steps::Step;

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
            Self::RememberDevice { .. }
            | Self::LogInFromDevice { .. }
            | Self::AnswerWithPasskey { .. }
            | Self::LogInWithPasskey { .. }
            | Self::ConfirmEnrolment { .. }
            | Self::Enrol { .. } => self.with_factor(history)?,
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
            Self::Pass { .. } => return None,
            Self::Broken { step, .. } => step.request(history, now)?,
            _ => self.of_caller(history, now)?,
        })
    }

    /// The request of a login with a factor or a device.
    fn with_factor(&self, history: &History) -> Option<(TestRealm, Request)> {
        let turned = |realm: TestRealm, elsewhere: bool| if elsewhere { realm.other() } else { realm };
        Some(match self {
            Self::RememberDevice { nth, code } => {
                let (realm, request) = match code {
                    Some(code) => with_backup_code(history, *nth, *code)?,
                    None => answer_to(history, *nth, false, false)?,
                };
                let Request::SecondFactor { challenge, otp } = request else { return None };
                (realm, Request::RememberDevice { challenge, otp })
            }
            Self::LogInFromDevice { nth, password, elsewhere } => {
                let KnownDevice { realm, token, email } = newest(&history.devices, *nth)?.clone();
                (turned(realm, *elsewhere), Request::LogInFromDevice { email, password, device: token })
            }
            Self::AnswerWithPasskey { nth, passkey } => {
                let (asked, (_, passkey)) = (newest(&history.challenges, *nth)?, newest(&history.passkeys, *passkey)?);
                let (challenge, passkey) = (asked.token.clone(), passkey.clone());
                (asked.realm, Request::PasskeyFactor { challenge, passkey })
            }
            Self::LogInWithPasskey { nth, elsewhere } => {
                let (realm, passkey) = newest(&history.passkeys, *nth)?.clone();
                (turned(realm, *elsewhere), Request::LogInWithPasskey { passkey })
            }
            Self::ConfirmEnrolment { nth, wrong, elsewhere } => {
                let (realm, token, sent) = newest(&history.enrolments, *nth)?.clone();
                let sent = sent.unwrap_or_else(|| "AAAAAA".to_owned());
                let code = if *wrong { another(&sent) } else { sent.to_lowercase() };
                (turned(realm, *elsewhere), Request::ConfirmEnrolment { token, code })
            }
            Self::Enrol { nth, passkey } => {
                let (realm, offer) = newest(&history.offers, *nth)?.clone();
                (realm, Request::Enrol { offer, passkey: passkey.then(|| new_passkey(history)) })
            }
            _ => return None,
        })
    }

    /// The request of a logged-in client.
    fn of_caller(&self, history: &History, now: Seconds) -> Option<(TestRealm, Request)> {
        let (Self::LogOut { nth }
        | Self::LogOutEverywhere { nth }
        | Self::ChangePassword { nth, .. }
        | Self::ChangeEmail { nth, .. }
        | Self::SetMfa { nth, .. }
        | Self::AddApp { nth, .. }
        | Self::RemoveApp { nth, .. }
        | Self::AddPasskey { nth, .. }
        | Self::RemovePasskey { nth, .. }
        | Self::Delete { nth, .. }) = self
        else {
            return None;
        };
        let (realm, access, _) = history.access(*nth, now)?.clone();
        let request = match *self {
            Self::LogOut { .. } => Request::LogOut { access },
            Self::LogOutEverywhere { .. } => Request::LogOutEverywhere { access },
            Self::ChangePassword { current, new, .. } => Request::ChangePassword { access, current, new },
            Self::ChangeEmail { email, password, .. } => Request::ChangeEmail { access, email, password },
            Self::SetMfa { on, password, .. } => Request::SetMfa { access, on, password },
            Self::AddApp { password, .. } => Request::AddApp { access, password },
            Self::RemoveApp { password, .. } => Request::RemoveApp { access, password },
            Self::AddPasskey { password, .. } => {
                Request::AddPasskey { access, passkey: new_passkey(history), password }
            }
            Self::RemovePasskey { passkey, password, .. } => {
                let (_, passkey) = newest(&history.passkeys, passkey)?.clone();
                Request::RemovePasskey { access, passkey, password }
            }
            Self::Delete { password, .. } => Request::Delete { access, password },
            _ => return None,
        };
        Some((realm, request))
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

/// A name that no passkey has.
fn new_passkey(history: &History) -> String {
    format!("Passkey{}", history.passkeys.len())
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
