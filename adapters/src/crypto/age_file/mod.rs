//! Files encrypted to public keys in the format of age (age-encryption.org/v1, recipients X25519), so that the program
//! `age` reads and writes them too. Memory does not grow with the file.

use std::io::{self, BufRead, Read, Write};

use age::x25519;
use age::{DecryptError, Decryptor, Encryptor};

/// The first line of every file.
pub const VERSION: &str = "age-encryption.org/v1";

/// Why a file could not be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum AgeError {
    /// A key that is no public key of age.
    #[error("this is no public key of age. Fix: write the line that begins with age1")]
    Recipient,
    /// A text that is no private key of age.
    #[error("the file has no private key of age. Fix: name the file that age-keygen wrote")]
    Identity,
    /// The header is of another format.
    #[error("the file is not encrypted by age, or damaged")]
    Header,
    /// It is encrypted to other keys.
    #[error("the file is encrypted to other keys. Fix: name the file with the private key of one of them")]
    NoMatch,
    /// The content was changed or cut.
    #[error("the file was changed or cut")]
    Damaged,
    /// A library refused its input.
    #[error("the encryption failed")]
    Crypto,
    /// A file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<DecryptError> for AgeError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::NoMatchingKeys => Self::NoMatch,
            DecryptError::InvalidMac | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
                Self::Damaged
            }
            _ => Self::Header,
        }
    }
}

/// A public key, as in `age1…`.
#[derive(Debug, Clone)]
pub struct Recipient(x25519::Recipient);

impl Recipient {
    /// Reads `age1…`.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        text.trim().parse().map(Self).map_err(|_| AgeError::Recipient)
    }
}

/// The private keys of an identity file.
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Reads the lines `AGE-SECRET-KEY-1…`; a line that begins with `#` is a comment.
    ///
    /// # Errors
    /// When there is none, or another text.
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|line| line.parse().map_err(|_| AgeError::Identity)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(AgeError::Identity) } else { Ok(Self(keys)) }
    }
}

/// Encrypts a file to each of the keys. Returns the bytes of plaintext.
///
/// # Errors
/// When a file fails, or there is no key.
pub fn encrypt(mut from: impl Read, to: impl Write, recipients: &[Recipient]) -> Result<u64, AgeError> {
    let recipients = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
    let mut to = Encryptor::with_recipients(recipients).map_err(|_| AgeError::Crypto)?.wrap_output(to)?;
    let total = io::copy(&mut from, &mut to)?;
    to.finish()?;
    Ok(total)
}

/// Decrypts a file. Returns the bytes of plaintext. The output counts only if this succeeds.
///
/// # Errors
/// When no key fits, the file was changed, or a file fails.
pub fn decrypt(from: impl BufRead, mut to: impl Write, identities: &Identities) -> Result<u64, AgeError> {
    let identities = identities.0.iter().map(|identity| identity as &dyn age::Identity);
    let mut from = Decryptor::new_buffered(from)?.decrypt(identities)?;
    io::copy(&mut from, &mut to).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => AgeError::Damaged,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests;
