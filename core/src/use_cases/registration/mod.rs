//! Registration and the confirmation of an address.

pub mod register;
pub mod resend_verification;
pub mod verify_email;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Registrations<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Registration and the confirmation of an address.
    #[must_use]
    pub const fn registrations(&self) -> Registrations<'_> {
        Registrations { service: self }
    }
}
