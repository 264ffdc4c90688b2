//! E-mail, SMS and voice calls: texts from templates, delivery over SMTP and Twilio, and the development mailbox.

pub mod dev_mailbox;
pub mod email;
pub mod links;
pub mod sms;
pub mod smtp;
mod smtp_connection;
pub mod templates;
pub mod twilio;
