//! What the development mailbox is made of.

pub mod shelf;
