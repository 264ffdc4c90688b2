//! Rights that can be used once: links, typed codes, OTPs. Kept as keyed digests, bound to one purpose, realm and
//! subject; a newer one of the same kind replaces the older.

use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;

/// Wrong tries after which a code is dead.
pub const CODE_TRIES: u8 = 5;

/// The purpose of a one-time token. A token of one purpose never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Prove the address of a registration.
    VerifyEmail,
    /// Prove a new address of an account.
    ChangeEmail,
    /// Set a new password.
    ResetPassword,
    /// Prove the phone on record.
    VerifyPhone,
    /// Show the second factor of a login.
    LoginMfa,
    /// Show the second factor in a session that is open.
    StepUp,
    /// Show, with an undo link, the second factor from before its change. The subject is the undo record.
    Undo,
    /// Log in with a passkey: the challenge that it signs. Its subject is no account.
    PasskeyLogin,
    /// Add a passkey.
    PasskeyNew,
    /// Prove the mailbox of an account that must add its first factor: the code is mailed.
    EnrolmentCode,
    /// Add that factor.
    Enrolment,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 11] = [
        Self::VerifyEmail,
        Self::ChangeEmail,
        Self::ResetPassword,
        Self::VerifyPhone,
        Self::LoginMfa,
        Self::StepUp,
        Self::Undo,
        Self::PasskeyLogin,
        Self::PasskeyNew,
        Self::EnrolmentCode,
        Self::Enrolment,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::VerifyPhone => "verify_phone",
            Self::LoginMfa => "login_mfa",
            Self::StepUp => "step_up",
            Self::Undo => "undo",
            Self::PasskeyLogin => "passkey_login",
            Self::PasskeyNew => "passkey_new",
            Self::EnrolmentCode => "enrolment_code",
            Self::Enrolment => "enrolment",
        }
    }

    /// The purpose of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// The owner of a token: at most one token is valid per owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenOwner {
    /// The population.
    pub realm: Realm,
    /// The purpose of the token.
    pub purpose: Purpose,
    /// The user or registration.
    pub subject: UserId,
}

/// A token as stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OneTimeToken {
    /// The owner that it belongs to.
    pub holder: TokenOwner,
    /// Digest of the opaque token.
    pub token: Digest,
    /// Digest of the typed code, where there is one. For an OTP it is set when the message is made.
    pub code: Option<Digest>,
    /// Wrong tries the code still has; at zero the code is dead, the link is not.
    pub tries_left: u8,
    /// A condition that must still hold when it is used, e.g. the blind index of the phone it was sent to.
    pub binding: Option<Digest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Dead from here on.
    pub expires_at: Timestamp,
}
