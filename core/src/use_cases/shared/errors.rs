//! The errors that use cases have in common. The HTTP layer maps them to responses in one place.

use std::time::Duration;

use crate::model::code::Violation;
use crate::ports::database::Refusal;
use crate::ports::error::PortError;
use crate::ports::password_hasher::HashError;

/// The failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Fields are not acceptable: all of them are named.
    #[error("some fields are not acceptable")]
    Invalid(Vec<Violation>),
    /// A one-time token or code that is wrong, used, expired or someone else's: indistinguishable on purpose.
    #[error("the link or code is not valid")]
    InvalidToken,
    /// Unknown e-mail, wrong password, disabled account: indistinguishable on purpose.
    #[error("the e-mail or the password is wrong")]
    InvalidCredentials,
    /// The password is right, the address is not proven.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// A refresh token that is wrong, expired, revoked or stolen: indistinguishable on purpose.
    #[error("the grant is not valid")]
    InvalidGrant,
    /// Too many tries.
    #[error("too many tries")]
    TooMany(Duration),
    /// The access token is not good (any more).
    #[error("not authenticated")]
    NotAuthenticated,
    /// The password given by a caller who is logged in is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// A recent login or the password is needed.
    #[error("a recent login or the password is needed")]
    ReauthenticationRequired,
    /// The record has another version than the caller said.
    #[error("the record has changed")]
    PreconditionFailed,
    /// An account with the role `admin`, which this operator may not change.
    #[error("the account has the role admin")]
    AdminProtected,
    /// There is no such thing of the caller's.
    #[error("there is nothing here")]
    NotFound,
    /// A second factor needs a phone that is proven.
    #[error("the phone is not verified")]
    PhoneNotVerified,
    /// The account has as many changes that can be undone as it may have; the oldest one expires after that time.
    #[error("the account was changed too often")]
    TooManyChanges(Duration),
    /// The phone cannot change while it is the second factor.
    #[error("the phone is in use as the second factor")]
    MfaInUse,
    /// An authenticator app is on already.
    #[error("an authenticator app is on already")]
    TotpOn,
    /// Backup codes need a second factor that is on.
    #[error("no second factor is on")]
    MfaOff,
    /// The last second factor of an account that must have one can't be removed.
    #[error("it is the last second factor of an account that must have one")]
    LastFactor,
    /// The account has this passkey already.
    #[error("the account has this passkey already")]
    PasskeyKnown,
    /// The account has as many passkeys as it may have.
    #[error("the account has too many passkeys")]
    PasskeyLimit,
    /// A passkey that is unknown, of another realm or refused, or a challenge that is wrong, used or expired:
    /// indistinguishable on purpose.
    #[error("the passkey is not valid")]
    InvalidPasskey,
    /// The address has an account (disclosed only where the operator allows it).
    #[error("the e-mail has an account")]
    EmailTaken,
    /// Too many passwords are waiting.
    #[error("too much work is waiting")]
    Overloaded,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refusal> for AuthError {
    /// The meaning of a refused commit where a use case does not decide it itself.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TokenGone
            | Refusal::UndoGone
            | Refusal::RegistrationGone
            | Refusal::EmailTaken
            | Refusal::IdTaken => Self::InvalidToken,
            Refusal::UserGone => Self::NotAuthenticated,
            Refusal::SessionGone | Refusal::CredentialGone | Refusal::WebhookGone | Refusal::JobGone => Self::NotFound,
            // the use cases that limit undo records say how long to wait
            Refusal::UndoLimit => Self::TooManyChanges(Duration::from_hours(1)),
            Refusal::UserStale | Refusal::SessionStale | Refusal::WebhookStale => {
                Self::Port(PortError::new("database", refusal))
            }
        }
    }
}

impl From<HashError> for AuthError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded => Self::Overloaded,
            HashError::Port(port) => Self::Port(port),
        }
    }
}
