//! Random calls of the registration store.

use super::{Dice, Model, after, agree};
use crate::contract::{Outcome, Records, Setup};
use crate::samples::{digest, email_index, person, registration, user_id};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::registration_store::RegistrationStore;

/// The port answers whatever its fake answers.
pub async fn agrees_with_the_fake(pending: &Setup<Records<dyn RegistrationStore>>) -> Outcome {
    agree::<Pending>(&*pending.port, &Records::of_fakes(|ports| ports.registrations.clone())).await
}

struct Pending;

#[derive(Debug)]
enum Call {
    Insert(Box<Registration>, u32, Timestamp),
    Find(Realm, UserId, Timestamp),
    FindByEmail(Realm, RingDigest, Timestamp),
    CountFailure(Realm, UserId),
    Remove(Realm, UserId),
    RemoveAll(Realm, RingDigest),
    Purge(Timestamp),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Inserted(Result<(), Refusal>),
    Found(Vec<Registration>),
    Was(bool),
    Removed(Vec<UserId>),
    Purged(u64),
}

impl Model for Pending {
    type Port = Records<dyn RegistrationStore>;
    type Call = Call;
    type Answer = Answer;

    async fn clear(pending: &Self::Port) -> Result<(), PortError> {
        pending.purge_expired(after(10_000)).await.map(drop)
    }

    fn call(dice: &Dice) -> Call {
        let (realm, now) = (dice.realm(), dice.now());
        let [email, life, _] = dice.three(3);
        let expires_at = after(dice.step + 1 + dice.number(16));
        let (id, index) = (user_id(dice.recent()), email_index(email));
        match dice.call(16) {
            0..=6 => {
                let one = registration(&realm, dice.step);
                let network = digest("network", dice.step % 3);
                let one = Registration { person: person(email), created_at: now, expires_at, network, ..one };
                Call::Insert(Box::new(one), u32::try_from(life).unwrap_or(0) + 1, now)
            }
            7..=8 => Call::Find(realm, id, now),
            9..=10 => Call::FindByEmail(realm, index, now),
            11..=12 => Call::CountFailure(realm, id),
            13 => Call::Remove(realm, id),
            14 => Call::RemoveAll(realm, index),
            _ => Call::Purge(now),
        }
    }

    fn makes(call: &Call) -> bool {
        matches!(call, Call::Insert(..))
    }

    async fn answer(pending: &Self::Port, call: &Call) -> Result<Answer, PortError> {
        Ok(match call {
            Call::Insert(one, limit, now) => {
                Answer::Inserted(pending.insert(Registration::clone(one), *limit, *now).await?)
            }
            Call::Find(realm, id, now) => Answer::Found(Vec::from_iter(pending.find(realm, id, *now).await?)),
            Call::FindByEmail(realm, email, now) => Answer::Found(pending.find_by_email(realm, email, *now).await?),
            Call::CountFailure(realm, id) => Answer::Was(pending.count_failure(realm, id, 3).await?),
            Call::Remove(realm, id) => Answer::Was(pending.remove(realm, id).await?),
            Call::RemoveAll(realm, email) => {
                let mut removed = pending.remove_all(realm, email).await?;
                removed.sort();
                Answer::Removed(removed)
            }
            Call::Purge(now) => Answer::Purged(pending.purge_expired(*now).await?),
        })
    }
}
