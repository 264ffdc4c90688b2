//! Password hashes by mixing: quick, and worth nothing against an attacker.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::fake_mac::{FakeMac, hex};
use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::password::Password;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher};

/// Hashes of the form `$fake$v=1$<parameters>$<salt>$<digest>`.
#[derive(Debug)]
pub struct FakePasswordHasher {
    parameters: Locked<String>,
    overloaded: AtomicBool,
    faults: Faults,
}

impl FakePasswordHasher {
    /// A hasher with the parameters `m=8,t=1,p=1` that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        let parameters = Locked::new("m=8,t=1,p=1".to_owned());
        Self { parameters, overloaded: AtomicBool::new(false), faults: Faults::new("password_hasher", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Other parameters from now on; hashes with the old ones are stale.
    pub fn set_parameters(&self, parameters: impl Into<String>) {
        *self.parameters.lock() = parameters.into();
    }

    /// Whether it refuses everything as if too many were waiting.
    pub fn set_overloaded(&self, overloaded: bool) {
        self.overloaded.store(overloaded, Ordering::SeqCst);
    }

    fn admit(&self) -> Result<(), HashError> {
        if self.overloaded.load(Ordering::SeqCst) { Err(HashError::Overloaded) } else { Ok(()) }
    }
}

impl Default for FakePasswordHasher {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

fn phc(password: &Password, parameters: &str, salt: &str) -> String {
    let mixed = FakeMac::new(1).part(parameters.as_bytes()).part(salt.as_bytes()).part(password.expose().as_bytes());
    format!("$fake$v=1${parameters}${salt}${}", hex(&mixed.finish()))
}

/// The parameters and the salt of a hash.
fn parse(hash: &PasswordHash) -> Result<(String, String), PortError> {
    let fields: Vec<&str> = hash.as_str().split('$').collect();
    let &["", "fake", "v=1", parameters, salt, digest] = fields.as_slice() else {
        return Err(PortError::new("password_hasher", "not a hash of the fake"));
    };
    if digest.is_empty() {
        return Err(PortError::new("password_hasher", "a hash without its end"));
    }
    Ok((parameters.to_owned(), salt.to_owned()))
}

#[async_trait]
impl PasswordHasher for FakePasswordHasher {
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        self.admit()?;
        let hash = || PasswordHash::new(phc(&password, &self.parameters.lock(), &hex(&salt)));
        Ok(self.faults.call("hash", hash)?)
    }

    async fn hash_like(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        self.admit()?;
        let hash = || parse(&stored).map(|(parameters, salt)| phc(&password, &parameters, &salt));
        Ok(self.faults.call("hash_like", hash)?.map(PasswordHash::new)?)
    }

    async fn hash_with_salt_of(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        self.admit()?;
        let hash = || parse(&stored).map(|(_, salt)| phc(&password, &self.parameters.lock(), &salt));
        Ok(self.faults.call("hash_with_salt_of", hash)?.map(PasswordHash::new)?)
    }

    fn decoy_like(&self, stored: &PasswordHash, salt: [u8; 16]) -> Option<PasswordHash> {
        let (parameters, _) = parse(stored).ok()?;
        Some(PasswordHash::new(format!("$fake$v=1${parameters}${}${}", hex(&salt), hex(&[0; 32]))))
    }

    fn is_outdated(&self, stored: &PasswordHash) -> bool {
        parse(stored).is_ok_and(|(parameters, _)| parameters != *self.parameters.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::block_on;
    use crate::samples::password;

    #[test]
    fn hashes_with_other_parameters_are_stale() {
        let hasher = FakePasswordHasher::default();
        let hash = block_on(hasher.hash(password("a"), [1; 16])).unwrap();
        hasher.set_parameters("m=16,t=2,p=1");
        assert!(hasher.is_outdated(&hash));
        assert!(block_on(hasher.hash_like(password("a"), hash.clone())).unwrap().matches(&hash));
    }

    #[test]
    fn an_overloaded_one_refuses() {
        let hasher = FakePasswordHasher::default();
        hasher.set_overloaded(true);
        assert!(matches!(block_on(hasher.hash(password("a"), [1; 16])), Err(HashError::Overloaded)));
        assert_eq!(hasher.faults().calls("hash"), 0);
    }
}
