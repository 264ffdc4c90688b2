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
    /// The domain whose pages ask for the codes in texts: a phone fills them in there alone.
    pub sms_domain: String,
}

impl LinkBuilder {
    /// Links to `public_url`. Codes in texts are for the domain of `app_url`, or of `public_url` where there is none.
    #[must_use]
    pub fn new(public_url: String, app_name: String, app_url: Option<&str>) -> Self {
        let url = reqwest::Url::parse(app_url.unwrap_or(&public_url)).ok();
        let sms_domain = url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        Self { public_url, app_name, sms_domain }
    }

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

#[cfg(test)]
mod tests {
    use super::LinkBuilder;

    #[test]
    fn codes_in_texts_are_for_the_domain_of_the_application() {
        let domain = |public: &str, app| LinkBuilder::new(public.to_owned(), String::new(), app).sms_domain;
        assert_eq!(domain("https://auth.example.com:8443/x", None), "auth.example.com");
        assert_eq!(domain("https://auth.example.com", Some("https://app.example.com")), "app.example.com");
        assert_eq!(domain("", None), "");
    }
}
