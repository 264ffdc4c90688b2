//! A fake for every port, under the port's file name: it has state, passes the contract suite, and fails on demand.

// all records at once
pub mod database;
// users
pub mod credential_store;
pub mod registration_store;
pub mod undo_store;
pub mod user_store;
pub mod webhook_sender;
pub mod webhook_store;
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
pub mod outbox;
pub mod sms_sender;
// abuse and evidence
pub mod audit_chain_store;
pub mod audit_log;
pub mod login_guard;
pub mod rate_limiter;
// operation
pub mod check_value_store;
pub mod key_rotation_store;
pub mod sent_message_store;
// time and chance
pub mod clock;
pub mod randomness;
