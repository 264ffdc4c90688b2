//! Breached passwords in a set.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::password::Password;
use portcullis_core::ports::breached_passwords::BreachedPasswords;
use portcullis_core::ports::error::PortError;

/// On every list of breached passwords, this one included.
pub const NOTORIOUS: [&str; 6] =
    ["password", "123456789", "iloveyou", "correcthorsebatterystaple", "1qaz2wsx3edc4rfv", "q1w2e3r4t5y6u7i8"];

/// Knows the most common passwords and those that a test adds.
#[derive(Debug)]
pub struct FakeBreachedPasswords {
    pub(crate) known: Locked<BTreeSet<String>>,
    faults: Faults,
}

impl FakeBreachedPasswords {
    /// A list of the notorious ones that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        let known = NOTORIOUS.iter().map(|&word| word.to_owned()).collect();
        Self { known: Locked::new(known), faults: Faults::new("breached_passwords", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Adds a breached password.
    pub fn add(&self, password: impl Into<String>) {
        self.known.lock().insert(password.into());
    }
}

impl Default for FakeBreachedPasswords {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl BreachedPasswords for FakeBreachedPasswords {
    async fn contains(&self, password: &Password) -> Result<bool, PortError> {
        self.faults.call("contains", || self.known.lock().contains(password.expose()))
    }
}
