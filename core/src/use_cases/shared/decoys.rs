//! The Argon2 parameters of addresses without an account. Accounts may have hashes of older parameters, and a login costs
//! those of the account. So an unknown address gets parameters by a keyed digest, in the proportion in which the accounts
//! of its realm have them: as many logins for unknown addresses cost the old parameters as for known ones.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::model::realm::Realm;
use crate::model::sealed::RingDigest;
use crate::model::user::PasswordHash;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::service::{AuthService, Ports};

/// Accounts that are looked at. An even sample: ids are random.
const SAMPLE: u32 = 500;

impl AuthService {
    /// Counts the parameters of the hashes of a realm's accounts, for the decoys. For each instance, now and then.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_hash_parameters(&self, realm: &Realm) -> Result<(), PortError> {
        let Ports { users, hasher, .. } = &self.ports;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for user in users.list(realm, None, SAMPLE).await?.users {
            // one that can't be opened is of no account that anybody logs in to
            let stored = self.record_cipher(&user).and_then(|cipher| cipher.open_password(&user.password));
            let decoy = stored.ok().and_then(|stored| hasher.decoy_like(&stored, [0; 16]));
            if let Some(decoy) = decoy {
                *counts.entry(decoy.as_str().to_owned()).or_default() += 1;
            }
        }
        let counts = counts.into_iter().map(|(hash, count)| (PasswordHash::new(hash), count)).collect();
        self.hash_parameters.0.write().unwrap_or_else(PoisonError::into_inner).insert(realm.clone(), counts);
        Ok(())
    }

    /// The hash with which a password for an address without account and registration is compared: a dummy, with the
    /// salt of the address and the parameters that it drew. `None` where the realm has no account: then the operator's
    /// parameters are the ones.
    #[must_use]
    pub fn decoy_hash(&self, realm: &Realm, email: &RingDigest) -> Option<PasswordHash> {
        let counts = self.hash_parameters.0.read().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.get(realm)?;
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        // the same for each order of the ring
        let address = email.all().min().unwrap_or(email.newest());
        let parts: [&[u8]; 2] = [b"parameters", address.as_bytes()];
        let digest = self.ports.digests.digest(Domain::RegistrationSalt, realm, &parts);
        let drawn = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)).checked_rem(all)?;
        let mut before = 0;
        let (kind, _) = counts.iter().find(|(_, count)| {
            before += count;
            drawn < before
        })?;
        self.ports.hasher.decoy_like(kind, self.registration_salt(realm, email))
    }
}
