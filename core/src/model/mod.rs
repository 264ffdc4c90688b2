//! Values and entities. Values are parsed once, at the edge, and carry their proof in their type.

pub mod client;
pub mod code;
pub mod country;
pub mod email;
pub mod event;
pub mod ids;
pub mod job;
pub mod login_throttle;
pub mod message;
pub mod name;
mod normal_form;
pub mod one_time_token;
pub mod otp;
pub mod password;
pub mod phone;
pub mod quota;
pub mod realm;
pub mod registration_form;
pub mod sealed;
pub mod secret;
pub mod sent_message;
pub mod session;
pub mod stored_key;
pub mod stored_record;
pub mod strength;
pub mod time;
pub mod user;
