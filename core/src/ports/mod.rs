//! The domain's interfaces to the outside: one trait per file, whose doc is its contract. Absence is `Ok(None)`, an
//! outcome that the domain must distinguish is a variant, any other failure is one [`error::PortError`]. An operation
//! that must be atomic is one method. Expiry is decided by the parameter `now`, never by the store's own clock.

pub mod database;
pub mod error;

// users
pub mod registration_store;
pub mod undo_store;
pub mod user_store;
// tokens
pub mod one_time_token_store;
pub mod session_store;
pub mod token_signer;
// crypto
pub mod breached_passwords;
pub mod field_cipher;
pub mod keyed_digest;
pub mod passkey_verifier;
pub mod password_hasher;
// notifications
pub mod job_queue;
pub mod mailer;
pub mod sms_sender;
pub mod webhook_sender;
pub mod webhook_store;
// abuse and evidence
pub mod audit_chain_store;
pub mod audit_log;
pub mod credential_store;
pub mod login_guard;
pub mod rate_limiter;
// operation: key rotation, data migration, the development mailbox
pub mod check_value_store;
pub mod data_migration_store;
pub mod key_rotation_store;
pub mod sent_message_store;
// time and chance
pub mod clock;
pub mod randomness;
