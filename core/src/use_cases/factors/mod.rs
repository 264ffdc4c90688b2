//! Second factors, remembered devices, and the proof of a phone number.

pub mod add_passkey;
pub mod backup_codes;
mod change_factors;
pub mod devices;
pub mod manage_passkeys;
pub mod mfa;
pub mod send_otp;
pub mod totp;
pub mod verify_otp;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Factors<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Second factors and the proof of a phone number.
    #[must_use]
    pub const fn factors(&self) -> Factors<'_> {
        Factors { service: self }
    }
}
