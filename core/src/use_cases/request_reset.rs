//! Forgotten: ask for a reset link. Nothing here looks whether the address has an account; the worker does.

use crate::model::job::Task;
use crate::model::realm::Realm;
use crate::model::registration_form::parse_email;
use crate::service::AuthService;
use crate::use_cases::errors::AuthError;

impl AuthService {
    /// Asks for a reset link.
    ///
    /// # Errors
    /// `Invalid` if it is no address.
    pub async fn request_reset(&self, realm: &Realm, email: &str) -> Result<(), AuthError> {
        let email = parse_email(email).map_err(AuthError::Invalid)?;
        self.enqueue(realm, Task::ResetPassword(self.email_index(realm, &email))).await
    }
}
