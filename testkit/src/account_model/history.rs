//! The tokens and codes that clients received, newest last. A later step may use any of them, in any order.

use std::collections::BTreeMap;

use super::driver::{Answer, Request, SentMessage, TestRealm};
use super::state::{ACCESS, LEEWAY, Seconds};

/// The kind of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Verify,
    Change,
    Reset,
    Undo,
}

/// A challenge and, once the text has come, its OTP.
#[derive(Debug, Clone)]
pub struct Asked {
    pub realm: TestRealm,
    pub token: String,
    pub otp: Option<String>,
    pub login: bool,
    /// The address of the login.
    pub email: Option<&'static str>,
}

/// A remembered device, and the address of the login that it was remembered at.
#[derive(Debug, Clone)]
pub struct KnownDevice {
    pub realm: TestRealm,
    pub token: String,
    pub email: &'static str,
}

/// The tokens, links and codes that clients received in a run.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub serial: u32,
    pub access: Vec<(TestRealm, String, Seconds)>,
    pub refresh: Vec<(TestRealm, String)>,
    pub links: Vec<(TestRealm, String, LinkKind)>,
    pub codes: Vec<(TestRealm, String, String)>,
    /// The passwords of registrations, by the first name that their mails greet.
    passwords: BTreeMap<String, &'static str>,
    /// Links and codes, and the first name that their mail greeted.
    greeted: BTreeMap<String, String>,
    pub challenges: Vec<Asked>,
    pub backup_codes: Vec<(TestRealm, String)>,
    /// Challenges of a first factor and, once the mail has come, their codes.
    pub enrolments: Vec<(TestRealm, String, Option<String>)>,
    pub offers: Vec<(TestRealm, String)>,
    /// The names of passkeys, also of those that were refused.
    pub passkeys: Vec<(TestRealm, String)>,
    pub devices: Vec<KnownDevice>,
    /// Ids and the phones they registered with.
    pub people: Vec<(TestRealm, String, String)>,
}

/// The n-th newest.
pub fn newest<T>(all: &[T], nth: u8) -> Option<&T> {
    all.iter().rev().nth(usize::from(nth))
}

impl History {
    /// The password of the registration whose mail had that link or code.
    pub fn password_of(&self, link_or_code: &str) -> Option<&'static str> {
        self.passwords.get(self.greeted.get(link_or_code)?).copied()
    }

    /// The n-th newest access token of which no clock's error makes a difference.
    pub fn access(&self, nth: u8, now: Seconds) -> Option<&(TestRealm, String, Seconds)> {
        newest(&self.access, nth).filter(|(.., expires)| clear(*expires, now))
    }

    /// Adds the tokens and codes of the answer and the messages; not the refresh token if the client lost the reply.
    pub fn learn(
        &mut self,
        (realm, now): (TestRealm, Seconds),
        request: &Request,
        answer: &Answer,
        sent: &[SentMessage],
        lost: bool,
    ) {
        if let Request::Register { name, password, .. } = request {
            self.serial += 1;
            self.passwords.insert(name.clone(), password);
        }
        if let Request::AddPasskey { passkey, .. } | Request::Enrol { passkey: Some(passkey), .. } = request {
            self.passkeys.push((realm, passkey.clone()));
        }
        match answer {
            Answer::Registered(id) => {
                if let Request::Register { phone, .. } = request {
                    self.people.push((realm, id.clone(), phone.clone()));
                }
            }
            Answer::Pair(access, refresh)
            | Answer::Remembered(access, refresh, _)
            | Answer::Enrolled(access, refresh, _) => {
                self.access.push((realm, access.clone(), now + ACCESS));
                let known = self.refresh.iter().any(|(_, text)| text == refresh);
                if !known && !lost {
                    self.refresh.push((realm, refresh.clone()));
                }
            }
            Answer::MfaRequired(token) | Answer::Challenge(token) => {
                let login = matches!(answer, Answer::MfaRequired(_));
                let email = match request {
                    Request::LogIn { email, .. } | Request::LogInFromDevice { email, .. } => Some(*email),
                    _ => None,
                };
                self.challenges.push(Asked { realm, token: token.clone(), otp: None, login, email });
            }
            Answer::EnrolmentRequired(token) => self.enrolments.push((realm, token.clone(), None)),
            Answer::Offer(token) => self.offers.push((realm, token.clone())),
            _ => {}
        }
        if let Answer::BackupCodes(codes) | Answer::Enrolled(_, _, codes) = answer {
            self.backup_codes.extend(codes.iter().map(|code| (realm, code.clone())));
        }
        if let (Request::RememberDevice { challenge, .. }, Answer::Remembered(_, _, token)) = (request, answer) {
            let asked = self.challenges.iter().find(|asked| asked.token == *challenge);
            let email = asked.and_then(|asked| asked.email);
            self.devices.extend(email.map(|email| KnownDevice { realm, token: token.clone(), email }));
        }
        for message in sent {
            self.receive(realm, message);
        }
    }

    fn receive(&mut self, realm: TestRealm, message: &SentMessage) {
        let kind = match message.template.as_str() {
            "mail_email_verify" => Some(LinkKind::Verify),
            "email_change_confirm" => Some(LinkKind::Change),
            "mail_password_reset" => Some(LinkKind::Reset),
            "email_changed" | "password_changed" | "mfa_changed" => Some(LinkKind::Undo),
            _ => None,
        };
        if let Some(name) = &message.name {
            let both = [&message.token, &message.code].into_iter().flatten();
            self.greeted.extend(both.map(|text| (text.clone(), name.clone())));
        }
        if let (Some(kind), Some(token)) = (kind, &message.token) {
            self.links.push((realm, token.clone(), kind));
        }
        let Some(code) = &message.code else { return };
        if message.template == "enrolment_code" {
            if let Some((.., sent)) = self.enrolments.last_mut().filter(|(.., sent)| sent.is_none()) {
                *sent = Some(code.clone());
            }
        } else if message.template != SentMessage::TEXT {
            self.codes.push((realm, message.to.clone(), code.clone()));
        } else if let Some(asked) = self.challenges.last_mut().filter(|asked| asked.otp.is_none()) {
            asked.otp = Some(code.clone());
        }
    }
}

/// Whether a token of that end is good or dead whatever clocks differ by.
pub const fn clear(expires: Seconds, now: Seconds) -> bool {
    now < expires - 1 || now > expires + LEEWAY + 1
}
