//! The registrations of one address that wait for their link.

use std::cmp::Reverse;

use crate::model::ids::UserId;
use crate::model::user::Registration;

/// Adds a registration to the unexpired ones of its address and returns the one that it replaces, if `limit` of them are
/// pending: the oldest of the network that made most of them, so that one network can't push out another's. All that are
/// pending together become contested.
pub fn add_registration(pending: &mut Vec<Registration>, mut new: Registration, limit: usize) -> Option<UserId> {
    let contested = !pending.is_empty();
    pending.sort_by_key(|one| (one.created_at, one.id));
    let removed =
        (pending.len() >= limit).then(|| crowded_out(pending)).flatten().map(|place| pending.remove(place).id);
    for one in pending.iter_mut() {
        one.contested = true;
    }
    new.contested |= contested;
    pending.push(new);
    removed
}

/// The place of the oldest registration of the network that made most; of networks that made equally many, the one whose
/// oldest registration is the oldest.
fn crowded_out(pending: &[Registration]) -> Option<usize> {
    let made_by = |place: &usize| {
        pending.get(*place).map_or(0, |one| pending.iter().filter(|other| other.network == one.network).count())
    };
    (0..pending.len()).min_by_key(|place| Reverse(made_by(place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::realm::Realm;
    use crate::model::sealed::{Digest, Sealed, WrappedKey};
    use crate::model::time::Timestamp;
    use crate::model::user::SealedPerson;

    fn made(at: u8, network: u8) -> Registration {
        let sealed = || Sealed::from_bytes(Vec::new());
        Registration {
            realm: Realm::parse("User1").unwrap(),
            id: UserId::from_bytes([at; 16]),
            person: SealedPerson {
                key: WrappedKey::from_bytes(Vec::new()),
                email_index: Digest::from_bytes([0; 32]).into(),
                first_name: sealed(),
                last_name: sealed(),
                email: sealed(),
                phone: sealed(),
                country_code: sealed(),
                country: sealed(),
                locale: None,
            },
            password: Sealed::from_bytes(Vec::new()),
            created_at: Timestamp::from_millis(at.into()),
            expires_at: Timestamp::from_millis(1000),
            network: Digest::from_bytes([network; 32]),
            contested: false,
            failures: 0,
        }
    }

    fn add_all(all: &[(u8, u8)]) -> (Vec<Registration>, Vec<UserId>) {
        let mut pending = Vec::new();
        let removed =
            all.iter().filter_map(|(at, network)| add_registration(&mut pending, made(*at, *network), 5)).collect();
        (pending, removed)
    }

    #[test]
    fn a_network_that_fills_the_places_loses_its_own() {
        // the owner's registration is the oldest of all and stays
        let (pending, removed) = add_all(&[(1, 1), (2, 9), (3, 9), (4, 9), (5, 9), (6, 9), (7, 9)]);
        assert_eq!(removed, [2, 3].map(|at| UserId::from_bytes([at; 16])));
        assert!(pending.len() == 5 && pending.iter().any(|one| one.id == UserId::from_bytes([1; 16])));
    }

    #[test]
    fn a_newer_registration_replaces_the_oldest_of_the_busiest_network() {
        let (pending, removed) = add_all(&[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
        assert_eq!(removed, [UserId::from_bytes([1; 16])]);
        assert!(pending.iter().any(|one| one.id == UserId::from_bytes([6; 16])));
    }

    #[test]
    fn registrations_pending_at_the_same_time_are_contested() {
        assert!(!add_all(&[(1, 1)]).0[0].contested);
        assert!(add_all(&[(1, 1), (2, 1)]).0.iter().all(|one| one.contested));
    }
}
