//! The links in e-mails: from configuration only, never from a request.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;

/// Builds the links of messages.
#[derive(Debug, Clone)]
pub struct LinkBuilder {
    /// `PUBLIC_URL`, without a slash at its end.
    pub public_url: String,
    /// `APP_NAME`.
    pub app_name: String,
}

impl LinkBuilder {
    /// The link that verifies an address.
    #[must_use]
    pub fn verify(&self, realm: &Realm, token: &OpaqueToken) -> String {
        format!("{}/{realm}/verify?token={}", self.public_url, token.expose())
    }

    /// The link that undoes a change.
    #[must_use]
    pub fn undo(&self, realm: &Realm, token: &OpaqueToken) -> String {
        format!("{}/{realm}/undo?token={}", self.public_url, token.expose())
    }

    /// The link that resets a password.
    #[must_use]
    pub fn reset(&self, realm: &Realm, token: &OpaqueToken) -> String {
        format!("{}/{realm}/reset_password_form?token={}", self.public_url, token.expose())
    }
}
