//! The account: profile, export, deletion.

pub mod delete_account;
pub mod export;
pub mod show_profile;
pub mod update_profile;

use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Accounts<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// The account: profile, export, deletion.
    #[must_use]
    pub const fn accounts(&self) -> Accounts<'_> {
        Accounts { service: self }
    }
}
