//! The records of a backup, as a restore takes them over.

pub mod restored_records;
