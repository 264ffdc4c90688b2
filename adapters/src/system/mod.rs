//! The machine's own time and chance.

pub mod clock;
pub mod randomness;
