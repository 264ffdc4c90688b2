//! Show the profile: to its owner only.

use crate::model::user::Profile;
use crate::use_cases::account::Accounts;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

impl Accounts<'_> {
    /// The caller's own data, open.
    ///
    /// # Errors
    /// When a port fails.
    pub fn show_profile(self, caller: &Caller) -> Result<Profile, AuthError> {
        Ok(self.service.decrypt_profile(&caller.user)?)
    }
}
