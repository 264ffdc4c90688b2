//! Cryptography: the ports, implemented with maintained libraries.

pub mod age_file;
pub mod breached_passwords;
pub mod check_values;
pub mod field_cipher;
pub mod hash_queue;
pub mod keyed_digest;
pub mod note_signer;
mod passkey_structure;
pub mod passkey_verifier;
pub mod password_hasher;
pub mod record_macs;
pub mod sealed_box;
pub mod signing_keys;
pub mod token_signer;
