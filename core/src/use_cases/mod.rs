//! The use cases, grouped by area. Each is one method in a file of its own; its first line names the ports it uses. What
//! it changes, its jobs and its audit events are one commit.
//!
//! An area is a view of [`crate::service::AuthService`] (`service.passwords().change_password(…)`) and imports no other
//! area; `shared` has the helpers of several.

pub mod account;
pub mod deliver;
pub mod factors;
pub mod login;
pub mod operator;
pub mod password;
pub mod recovery;
pub mod registration;
pub mod session;
pub mod shared;
