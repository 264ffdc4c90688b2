//! Check values in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::error::PortError;

/// Keeps check values as long as it lives.
#[derive(Debug)]
pub struct FakeCheckValueStore {
    pub(crate) values: Locked<BTreeMap<String, Vec<u8>>>,
    faults: Faults,
}

impl FakeCheckValueStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { values: Locked::default(), faults: Faults::new("check_value_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[async_trait]
impl CheckValueStore for FakeCheckValueStore {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.faults.call("check_value", || self.values.lock().get(name).cloned())
    }

    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        self.faults.call("check_value_or_insert", || {
            self.values.lock().entry(name.to_owned()).or_insert_with(|| value.to_vec()).clone()
        })
    }

    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError> {
        self.faults.call("replace_check_value", || {
            let mut values = self.values.lock();
            let stored = values.get_mut(name).filter(|stored| *stored == expected);
            stored.map(|stored| *stored = new.to_vec()).is_some()
        })
    }
}
