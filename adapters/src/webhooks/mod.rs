//! Webhooks by the Standard Webhooks specification: which events become messages, and how a message is signed and sent.

pub mod fan_out;
pub mod network_guard;
pub mod sender;
mod signed_message;
#[cfg(test)]
mod tests;
