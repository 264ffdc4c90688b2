//! The records that a restore takes over from a backup.

pub mod restored_records;
