//! The stories: one a file, read from top to bottom. A story names its ports in its first line; its steps are in an
//! order that is safe to stop between any two of them.

// what several use cases share
pub mod digests;
pub mod errors;
pub mod limits;
pub mod person;
pub mod shared;
pub mod tokens;
pub mod violations;

// an account begins
pub mod register;
pub mod resend_verification;
pub mod verify_email;
// sessions
pub mod authenticate;
pub mod introspect;
pub mod log_in;
pub mod log_out;
pub mod refresh;
pub mod revoke;
pub mod second_factor;
pub mod sessions;
// passwords
pub mod change_password;
pub mod request_reset;
pub mod reset_password;
// phones
pub mod send_otp;
pub mod text_guard;
pub mod verify_otp;
// the account itself
pub mod delete_account;
pub mod export;
pub mod mfa;
pub mod show_profile;
pub mod update_profile;
// an operator's
pub mod disable;
// behind the scenes
pub mod deliver;
pub mod fake_user;
pub mod housekeeping;
