//! Fresh secrets.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
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
