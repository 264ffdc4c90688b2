//! Show the profile: to its owner only.

use crate::model::user::Profile;
use crate::service::AuthService;
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::AuthError;

impl AuthService {
    /// The caller's own data, open.
    ///
    /// # Errors
    /// When a port fails.
    pub fn show_profile(&self, caller: &Caller) -> Result<Profile, AuthError> {
        Ok(self.decrypt_profile(&caller.user)?)
    }
}
