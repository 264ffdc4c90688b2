//! External services, played by test servers that speak the real protocol and can be made to fail.

mod addresses;
mod causes;
mod oathtool;
mod smtp;
mod twilio;
mod watchman;
mod webhooks;
