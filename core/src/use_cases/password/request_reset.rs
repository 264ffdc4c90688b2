//! Forgotten: ask for a reset link. Nothing here looks whether the address has an account; the worker does.

use crate::model::client::Client;
use crate::model::job::Task;
use crate::model::realm::Realm;
use crate::model::registration_form::parse_email;
use crate::use_cases::password::Passwords;
use crate::use_cases::shared::errors::AuthError;

impl Passwords<'_> {
    /// Asks for a reset link.
    ///
    /// # Errors
    /// `Invalid` if it is no address.
    pub async fn request_reset(self, realm: &Realm, email: &str, client: &Client) -> Result<(), AuthError> {
        let email = parse_email(email).map_err(AuthError::Invalid)?;
        let network = Some(self.service.network_digest(realm, &client.address));
        let task = Task::ResetPassword { email: self.service.email_index(realm, &email), network };
        self.service.enqueue(realm, task).await
    }
}
