//! The links in e-mails: from configuration only, never from a request.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;

/// Where links lead and who they are from.
#[derive(Debug, Clone)]
pub struct Links {
    /// `PUBLIC_URL`, without a slash at its end.
    pub public_url: String,
    /// `APP_NAME`.
    pub app_name: String,
}

impl Links {
    /// Proves an address, new or changed.
    #[must_use]
    pub fn verify(&self, realm: &Realm, token: &OpaqueToken) -> String {
        format!("{}/{realm}/verify?token={}", self.public_url, token.expose())
    }

    /// Sets a new password.
    #[must_use]
    pub fn reset(&self, realm: &Realm, token: &OpaqueToken) -> String {
        format!("{}/{realm}/reset_password_form?token={}", self.public_url, token.expose())
    }
}
