//! Logging in with a password, with a second factor, and with a passkey; and the first factor of an account that must
//! have one.

pub mod enrol;
pub mod log_in;
pub mod passkey;
pub mod second_factor;
pub mod step_up;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Logins<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Logging in with a password, and with a second factor.
    #[must_use]
    pub const fn logins(&self) -> Logins<'_> {
        Logins { service: self }
    }
}
