//! Texts and calls over a telephone service: Twilio comes with the production deployment. Until then they go to the
//! [`crate::outbox::Outbox`].
