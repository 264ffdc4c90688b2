//! Files encrypted to public keys in the format of age (age-encryption.org/v1, recipients X25519), so that the program
//! `age` reads and writes them too. Memory does not grow with the file.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_core::ports::randomness::Randomness;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first line of every file.
pub const VERSION: &str = "age-encryption.org/v1";
/// The info of the wrapping key.
const X25519_INFO: &[u8] = b"age-encryption.org/v1/X25519";
/// Bytes of plaintext in a chunk.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// The longest header that is read.
const MAX_HEADER: usize = 64 * 1024;
/// A body of a stanza ends with a line that is shorter.
const COLUMNS: usize = 64;

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

/// A public key, as in `age1…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// Reads `age1…`.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        key_of(text.trim(), "age").map(Self).ok_or(AgeError::Recipient)
    }
}

/// The private keys of an identity file.
pub struct Identities(Vec<Zeroizing<[u8; 32]>>);

impl Identities {
    /// Reads the lines `AGE-SECRET-KEY-1…`; a line that begins with `#` is a comment.
    ///
    /// # Errors
    /// When there is none, or another text.
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|line| key_of(line, "age-secret-key-").map(Zeroizing::new));
        let keys = keys.collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty());
        keys.map(Self).ok_or(AgeError::Identity)
    }
}

/// A key in Bech32.
fn key_of(text: &str, prefix: &str) -> Option<[u8; 32]> {
    let parsed = bech32::primitives::decode::CheckedHrpstring::new::<bech32::Bech32>(text).ok()?;
    if !parsed.hrp().as_str().eq_ignore_ascii_case(prefix) {
        return None;
    }
    parsed.byte_iter().collect::<Vec<u8>>().try_into().ok()
}

/// Encrypts a file to each of the keys. Returns the bytes of plaintext.
///
/// # Errors
/// When a file fails, or a key is unusable.
pub fn encrypt(
    mut from: impl Read,
    mut to: impl Write,
    recipients: &[Recipient],
    randomness: &dyn Randomness,
) -> Result<u64, AgeError> {
    let mut file_key = Zeroizing::new([0_u8; 16]);
    randomness.fill(&mut *file_key);
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        let (share, body) = wrap(&file_key, recipient)?;
        let [share, body] = [STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(body)];
        // writing to a text cannot fail
        let _ = writeln!(header, "-> X25519 {share}\n{body}");
    }
    header.push_str("---");
    let mac = STANDARD_NO_PAD.encode(header_mac(&file_key, header.as_bytes())?.finalize().into_bytes());
    let mut nonce = [0_u8; 16];
    randomness.fill(&mut nonce);
    to.write_all(format!("{header} {mac}\n").as_bytes())?;
    to.write_all(&nonce)?;
    let mut chunks = Chunks::new(&file_key, &nonce)?;
    let mut total = 0;
    let mut chunk = read_chunk(&mut from, CHUNK)?;
    loop {
        let next = if chunk.len() == CHUNK { read_chunk(&mut from, CHUNK)? } else { Vec::new() };
        total += chunk.len() as u64;
        let nonce = chunks.nonce(next.is_empty())?;
        chunks.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut chunk).map_err(|_| AgeError::Crypto)?;
        to.write_all(&chunk)?;
        if next.is_empty() {
            return Ok(total);
        }
        chunk = next;
    }
}

/// Decrypts a file. Returns the bytes of plaintext. The output counts only if this succeeds.
///
/// # Errors
/// When no key fits, the file was changed, or a file fails.
pub fn decrypt(mut from: impl BufRead, mut to: impl Write, identities: &Identities) -> Result<u64, AgeError> {
    let file_key = open_header(&mut from, identities)?;
    let mut nonce = [0_u8; 16];
    from.read_exact(&mut nonce).map_err(|_| AgeError::Damaged)?;
    let mut chunks = Chunks::new(&file_key, &nonce)?;
    let mut total = 0;
    let mut chunk = read_chunk(&mut from, CHUNK + TAG)?;
    loop {
        let next = if chunk.len() == CHUNK + TAG { read_chunk(&mut from, CHUNK + TAG)? } else { Vec::new() };
        let nonce = chunks.nonce(next.is_empty())?;
        let opened = chunks.key.open_in_place(nonce, Aad::empty(), &mut chunk).map_err(|_| AgeError::Damaged)?;
        // an empty chunk ends an empty file only
        if opened.is_empty() && total > 0 {
            return Err(AgeError::Damaged);
        }
        total += opened.len() as u64;
        to.write_all(opened)?;
        if next.is_empty() {
            return Ok(total);
        }
        chunk = next;
    }
}

/// At most so many bytes; fewer at the end of the file alone.
fn read_chunk(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(length + TAG);
    from.take(length as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

fn expand(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut *key).map_err(|_| AgeError::Crypto)?;
    Ok(key)
}

fn header_mac(file_key: &[u8; 16], header: &[u8]) -> Result<Hmac<Sha256>, AgeError> {
    let key = expand(file_key, &[], b"header")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| AgeError::Crypto)?;
    mac.update(header);
    Ok(mac)
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey, AgeError> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_| AgeError::Crypto)
}

/// The wrapping key of a file key, from one private and one public key.
fn wrapping_key(own: &PrivateKey, other: &[u8; 32], salt: &[u8]) -> Result<LessSafeKey, AgeError> {
    let other = UnparsedPublicKey::new(&X25519, other);
    // a shared secret of zeros, from a key of low order, is refused
    let key = agree(own, other, AgeError::Crypto, |shared| expand(shared, salt, X25519_INFO))?;
    aead(&key)
}

/// The ephemeral public key, and the wrapped file key.
fn wrap(file_key: &[u8; 16], recipient: &Recipient) -> Result<([u8; 32], Vec<u8>), AgeError> {
    let ephemeral = PrivateKey::generate(&X25519).map_err(|_| AgeError::Crypto)?;
    let share = public_key(&ephemeral)?;
    let key = wrapping_key(&ephemeral, &recipient.0, &[share, recipient.0].concat())?;
    let mut body = file_key.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut body).map_err(|_| AgeError::Recipient)?;
    Ok((share, body))
}

fn public_key(own: &PrivateKey) -> Result<[u8; 32], AgeError> {
    let key = own.compute_public_key().map_err(|_| AgeError::Crypto)?;
    key.as_ref().try_into().map_err(|_| AgeError::Crypto)
}

fn unwrap(identity: &[u8; 32], share: &[u8; 32], body: &[u8]) -> Result<Option<Zeroizing<[u8; 16]>>, AgeError> {
    let own = PrivateKey::from_private_key(&X25519, identity).map_err(|_| AgeError::Identity)?;
    let key = wrapping_key(&own, share, &[*share, public_key(&own)?].concat())?;
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    // one that does not open is for another identity
    let Ok(opened) = key.open_in_place(nonce, Aad::empty(), &mut body) else { return Ok(None) };
    Ok(<[u8; 16]>::try_from(&*opened).ok().map(Zeroizing::new))
}

/// Reads the header and finds the file key.
fn open_header(from: &mut impl BufRead, identities: &Identities) -> Result<Zeroizing<[u8; 16]>, AgeError> {
    let mut header = Vec::new();
    let mut line = read_line(from, &mut header)?;
    if line != VERSION {
        return Err(AgeError::Header);
    }
    let mut found = None;
    line = read_line(from, &mut header)?;
    loop {
        if let Some(mac) = line.strip_prefix("--- ") {
            let file_key: Zeroizing<[u8; 16]> = found.ok_or(AgeError::NoMatch)?;
            let signed = header.get(..header.len().saturating_sub(mac.len() + 2)).ok_or(AgeError::Header)?;
            let mac = STANDARD_NO_PAD.decode(mac).map_err(|_| AgeError::Header)?;
            header_mac(&file_key, signed)?.verify_slice(&mac).map_err(|_| AgeError::Damaged)?;
            return Ok(file_key);
        }
        let stanza = line.strip_prefix("-> ").ok_or(AgeError::Header)?.to_owned();
        let mut body = String::new();
        loop {
            let part = read_line(from, &mut header)?;
            body.push_str(&part);
            if part.len() < COLUMNS {
                break;
            }
        }
        let body = STANDARD_NO_PAD.decode(body).map_err(|_| AgeError::Header)?;
        if found.is_none()
            && let Some(share) = stanza.strip_prefix("X25519 ")
        {
            let share = STANDARD_NO_PAD.decode(share).ok().and_then(|share| share.try_into().ok());
            let share = share.ok_or(AgeError::Header)?;
            for identity in &identities.0 {
                found = found.or(unwrap(identity, &share, &body)?);
            }
        }
        line = read_line(from, &mut header)?;
    }
}

/// A line of the header, without its end, which is added to what was read so far.
fn read_line(from: &mut impl BufRead, header: &mut Vec<u8>) -> Result<String, AgeError> {
    let start = header.len();
    let left = MAX_HEADER.saturating_sub(start);
    from.take(left as u64).read_until(b'\n', header)?;
    let line = header.get(start..).and_then(|line| line.strip_suffix(b"\n")).ok_or(AgeError::Header)?;
    std::str::from_utf8(line).map(str::to_owned).map_err(|_| AgeError::Header)
}

/// The key of the content and the counter of its chunks.
struct Chunks {
    key: LessSafeKey,
    count: u64,
}

impl Chunks {
    fn new(file_key: &[u8; 16], nonce: &[u8; 16]) -> Result<Self, AgeError> {
        Ok(Self { key: aead(&*expand(file_key, nonce, b"payload")?)?, count: 0 })
    }

    /// The nonce of the next chunk: eleven bytes of counter, and whether it is the last.
    fn nonce(&mut self, last: bool) -> Result<Nonce, AgeError> {
        let mut nonce = [0; 12];
        if let Some(counter) = nonce.get_mut(3..11) {
            counter.copy_from_slice(&self.count.to_be_bytes());
        }
        if let Some(flag) = nonce.last_mut() {
            *flag = u8::from(last);
        }
        self.count = self.count.checked_add(1).ok_or(AgeError::Crypto)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

#[cfg(test)]
mod tests;
