//! What stands outside, played by servers that really speak its protocol and can be told to fail.

mod smtp;
mod twilio;
mod watchman;
