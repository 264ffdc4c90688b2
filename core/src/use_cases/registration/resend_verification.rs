//! Resend: the mail did not come. The answer is the same for every address, and so is the work.

use crate::model::client::Client;
use crate::model::job::Task;
use crate::model::realm::Realm;
use crate::model::registration_form::parse_email;
use crate::use_cases::registration::Registrations;
use crate::use_cases::shared::errors::AuthError;

impl Registrations<'_> {
    /// Asks for the mails of an address's pending registrations again.
    ///
    /// # Errors
    /// `Invalid` if it is no address.
    pub async fn resend_verification(self, realm: &Realm, email: &str, client: &Client) -> Result<(), AuthError> {
        let email = parse_email(email).map_err(AuthError::Invalid)?;
        let network = Some(self.service.network_digest(realm, &client.address));
        let task = Task::ResendVerification { email: self.service.email_index(realm, &email), network };
        self.service.enqueue(realm, task).await
    }
}
