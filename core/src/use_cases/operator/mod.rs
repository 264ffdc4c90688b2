//! The operator's commands and housekeeping.

pub mod disable;
pub mod fake_user;
pub mod housekeeping;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Operators<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// The operator's commands and housekeeping.
    #[must_use]
    pub const fn operators(&self) -> Operators<'_> {
        Operators { service: self }
    }
}
