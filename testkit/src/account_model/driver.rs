//! The interface to the service under test: requests, answers and messages, as a client knows them.

use std::time::Duration;

use async_trait::async_trait;

use crate::faults::When;

/// One of two realms. The second one requires a second factor of its accounts; nothing else is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestRealm {
    /// `User1`.
    First,
    /// `User2`.
    Second,
}

impl TestRealm {
    /// The realm's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "User1",
            Self::Second => "User2",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A client's request in a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members are the fields of docs/http-api.md, by name")]
pub enum Request {
    /// `POST /create`. The first name and the phone are unique to it.
    Register { name: String, phone: String, email: &'static str, password: &'static str },
    /// `POST /verify` with the token of a link.
    FollowLink { token: String, password: Option<&'static str> },
    /// The same with `reject=true`.
    RejectLink { token: String },
    /// `POST /verify` with a typed code.
    TypeCode { email: String, code: String, password: Option<&'static str> },
    /// `POST /resend_verification`.
    Resend { email: &'static str },
    /// `POST /login`.
    LogIn { email: &'static str, password: &'static str },
    /// The same with the token of a remembered device.
    LogInFromDevice { email: &'static str, password: &'static str, device: String },
    /// `POST /login/mfa`.
    SecondFactor { challenge: String, otp: String },
    /// The same with `remember_device`.
    RememberDevice { challenge: String, otp: String },
    /// The same with a passkey, by the name that it was added under.
    PasskeyFactor { challenge: String, passkey: String },
    /// `POST /login/passkey/options`, and `POST /login/passkey` with that passkey.
    LogInWithPasskey { passkey: String },
    /// `POST /login/enrolment` with the mailed code.
    ConfirmEnrolment { token: String, code: String },
    /// `POST /login/enrolment/factor`: with a new passkey of that name, or with an authenticator app.
    Enrol { offer: String, passkey: Option<String> },
    /// `POST /token` with a refresh token.
    Refresh { token: String },
    /// `POST /logout`.
    LogOut { access: String },
    /// `POST /logout_all`.
    LogOutEverywhere { access: String },
    /// `POST /forget_password`.
    RequestReset { email: &'static str },
    /// `POST /reset_password`.
    Reset { token: String, password: &'static str },
    /// `POST /undo`.
    Undo { token: String, password: Option<&'static str> },
    /// `POST /change_password`.
    ChangePassword { access: String, current: &'static str, new: &'static str },
    /// `PATCH /update` with an e-mail.
    ChangeEmail { access: String, email: &'static str, password: Option<&'static str> },
    /// `POST /otp_phone`.
    SendOtp { id: String, phone: String },
    /// `POST /verify_otp_phone`.
    VerifyOtp { challenge: String, otp: String },
    /// `PUT /mfa`.
    SetMfa { access: String, on: bool, password: Option<&'static str> },
    /// `POST /mfa/totp`, and `PUT` with the code of the key that it answered.
    AddApp { access: String, password: Option<&'static str> },
    /// `DELETE /mfa/totp`.
    RemoveApp { access: String, password: Option<&'static str> },
    /// `POST /passkeys/options`, and `POST /passkeys` with a new passkey of that name.
    AddPasskey { access: String, passkey: String, password: Option<&'static str> },
    /// `DELETE /passkeys/{id}` of the passkey of that name.
    RemovePasskey { access: String, passkey: String, password: Option<&'static str> },
    /// `DELETE /delete`.
    Delete { access: String, password: Option<&'static str> },
    /// `portcullis users disable`, or `PUT /__test__/disabled` of a test kit.
    Disable { email: &'static str },
    /// `portcullis users enable`.
    Enable { email: &'static str },
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or looks as if.
    Done,
    /// A registration waits under that id.
    Registered(String),
    /// A link or code did its work for the account of that id.
    Verified(String),
    /// Access and refresh token.
    Pair(String, String),
    /// The same, and the token of a device that is remembered.
    Remembered(String, String, String),
    /// The account must add its first factor: a challenge that a mailed code answers.
    EnrolmentRequired(String),
    /// An offer that a first factor answers.
    Offer(String),
    /// Access and refresh token, and backup codes: the first factor is on.
    Enrolled(String, String, Vec<String>),
    /// A challenge that an OTP answers: of a login.
    MfaRequired(String),
    /// A challenge that an OTP answers: of a phone.
    Challenge(String),
    /// A factor is on, and these are the new backup codes.
    BackupCodes(Vec<String>),
    /// It is refused.
    Refused(Refusal),
    /// A port failed.
    Unavailable,
}

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The access token is worth nothing.
    NotAuthenticated,
    /// E-mail or password.
    InvalidCredentials,
    /// After a right password.
    EmailNotVerified,
    /// A link, code or OTP is worth nothing.
    InvalidToken,
    /// A refresh token is worth nothing.
    InvalidGrant,
    /// The current password that a logged-in client sent is wrong.
    WrongPassword,
    /// The login was too long ago, or no proof was shown.
    ReauthenticationRequired,
    /// A factor needs a phone.
    PhoneNotVerified,
    /// An authenticator app is on already.
    TotpOn,
    /// A login with a passkey.
    InvalidPasskey,
    /// The account must have a second factor, and this is the last one.
    LastFactor,
    /// An operator names an account that does not exist, or a client a passkey.
    NotFound,
    /// Anything else; never right.
    Other,
}

/// A query that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The account that an access token belongs to.
    Access(String),
    /// Whether a refresh token is the one that is good now.
    Refresh(String),
    /// Whether a `/verify` link is good.
    Link(String),
    /// Whether a reset link is good.
    Reset(String),
    /// Whether an undo link is good.
    Undo(String),
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// E-mail and first name.
    Person(String, String),
    /// It is valid.
    Good,
    /// It is not valid.
    Nothing,
}

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The realm, where the message tells.
    pub realm: Option<TestRealm>,
    /// The address or number.
    pub to: String,
    /// The template of an e-mail; [`SentMessage::TEXT`] for an SMS.
    pub template: String,
    /// The first name in it, where there is one.
    pub name: Option<String>,
    /// The right in its link.
    pub token: Option<String>,
    /// The code in it.
    pub code: Option<String>,
}

impl SentMessage {
    /// The template name of an SMS.
    pub const TEXT: &'static str = "text";
}

/// A service under test, as a client sees it. Limits are off: the model counts rights, not requests.
#[async_trait]
pub trait Driver: Send {
    /// Asks, and reads the answer.
    async fn ask(&mut self, realm: TestRealm, request: &Request) -> Answer;

    /// Looks.
    async fn look(&mut self, realm: TestRealm, probe: &Probe) -> Seen;

    /// Waits until all work that is due is done, and hands out the messages since the last time.
    async fn messages(&mut self) -> Vec<SentMessage>;

    /// Lets time pass.
    async fn pass(&mut self, time: Duration);

    /// Breaks the `nth` call of a port from now on; `false` where nothing can be broken on purpose.
    async fn break_call(&mut self, nth: u64, when: When) -> bool {
        let _ = (nth, when);
        false
    }

    /// Breaks nothing any more, and says whether something broke.
    async fn mend(&mut self) -> bool {
        false
    }
}
