//! What stands outside: mail, text and monitoring services, played by servers that really speak their protocols and
//! can be told to fail.

mod smtp;
mod twilio;
mod watchman;
