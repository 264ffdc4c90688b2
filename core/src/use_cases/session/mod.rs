//! Sessions and their tokens.

pub mod authenticate;
pub mod introspect;
pub mod log_out;
pub mod refresh;
pub mod revoke;
pub mod sessions;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Sessions<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Sessions and their tokens.
    #[must_use]
    pub const fn sessions(&self) -> Sessions<'_> {
        Sessions { service: self }
    }
}
