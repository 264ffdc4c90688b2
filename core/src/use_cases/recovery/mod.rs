//! Recovery: the owner undoes a change that an attacker made.

pub mod undo;
mod undo_code;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Recovery<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Recovery: the owner undoes a change that an attacker made.
    #[must_use]
    pub const fn recovery(&self) -> Recovery<'_> {
        Recovery { service: self }
    }
}
