//! Fresh secrets.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use portcullis_adapters::crypto::sealed_box::BoxPrivateKey;
use zeroize::Zeroizing;

fn bytes(fill_random: &dyn Fn(&mut [u8])) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill_random(&mut *bytes);
    bytes
}

/// 43 characters, 256 random bits.
#[must_use]
pub fn text(fill_random: &dyn Fn(&mut [u8])) -> String {
    URL_SAFE_NO_PAD.encode(*bytes(fill_random))
}

/// A value for `ENCRYPTION_KEY`.
#[must_use]
pub fn encryption_key(fill_random: &dyn Fn(&mut [u8])) -> String {
    URL_SAFE.encode(*bytes(fill_random))
}

/// Lines for a `.env` file.
#[must_use]
pub fn generate(fill_random: &dyn Fn(&mut [u8])) -> String {
    format!(
        "JWT_SECRET={}\nENCRYPTION_KEY={}\nINDEX_KEY={}\nOPERATOR_TOKEN={}\n",
        text(fill_random),
        encryption_key(fill_random),
        text(fill_random),
        text(fill_random)
    )
}

/// The keys of the tamper-evident audit log.
pub struct AuditKeys {
    /// Lines for a `.env` file.
    pub settings: String,
    /// The private half of `AUDIT_VERIFY_KEY`, which belongs to another machine.
    pub private: Zeroizing<String>,
}

impl AuditKeys {
    /// New keys.
    ///
    /// # Errors
    /// When the library refuses them.
    pub fn generate(fill_random: &dyn Fn(&mut [u8])) -> Result<Self, String> {
        let private = BoxPrivateKey::from_bytes(*bytes(fill_random));
        let public = private.public().map_err(|error| error.with_cause())?;
        let settings = format!(
            "AUDIT_VERIFY_KEY={}\nAUDIT_SIGNING_KEY={}\n",
            URL_SAFE.encode(public.0),
            encryption_key(fill_random)
        );
        Ok(Self { settings, private: Zeroizing::new(format!("{}\n", URL_SAFE.encode(private.as_bytes()))) })
    }
}
