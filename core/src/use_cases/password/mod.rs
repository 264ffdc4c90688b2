//! Changing and resetting a password.

pub mod change_password;
pub mod request_reset;
pub mod reset_password;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Passwords<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Changing and resetting a password.
    #[must_use]
    pub const fn passwords(&self) -> Passwords<'_> {
        Passwords { service: self }
    }
}
