//! Helpers of several areas.

pub mod caller;
pub mod commit;
pub(crate) mod decoys;
mod devices;
pub mod digests;
pub mod errors;
pub mod factor_policy;
pub mod factors;
pub mod limits;
pub mod new_session;
pub mod otp;
pub mod passkeys;
pub mod passwords;
pub mod person;
pub mod reauthenticate;
pub mod sms_quotas;
pub mod tokens;
pub mod undo_records;
pub mod violations;
mod wrong_factors;
