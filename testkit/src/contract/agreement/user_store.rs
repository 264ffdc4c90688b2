//! Random calls of the user store.

use super::{Dice, Model, agree};
use crate::contract::{Outcome, Records, Setup};
use crate::samples::{email_index, email_index_of_two, person, user, user_id};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::user::{SealedPerson, User};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::UserStore;

/// The port answers whatever its fake answers.
pub async fn agrees_with_the_fake(users: &Setup<Records<dyn UserStore>>) -> Outcome {
    agree::<Users>(&*users.port, &Records::of_fakes(|ports| ports.users.clone())).await
}

struct Users;

#[derive(Debug)]
enum Call {
    Insert(Box<User>),
    Find(Realm, UserId),
    FindByEmail(Realm, RingDigest),
    Replace(Box<User>, u64),
    Delete(Realm, UserId),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Inserted(Result<(), Refusal>),
    /// Both the id and the e-mail are taken: which of them is reported is the store's choice.
    DoublyRefused,
    Found(Box<Option<User>>),
    Replaced(Result<(), Refusal>),
    Deleted(bool),
}

impl Model for Users {
    type Port = Records<dyn UserStore>;
    type Call = Call;
    type Answer = Answer;

    async fn clear(_users: &Self::Port) -> Result<(), PortError> {
        Ok(())
    }

    fn call(dice: &Dice) -> Call {
        let ([id, email, other], realm) = (dice.three(3), dice.realm());
        let version = dice.number(2);
        // all of them have the digest under the old key
        let index = match other % 3 {
            0 => email_index(email),
            order => email_index_of_two(email, order == 1),
        };
        let person = SealedPerson { email_index: index, ..person(email) };
        let one = User { person, version, credentials_version: other, ..user(&realm, id) };
        match dice.call(10) {
            0..=3 => Call::Insert(Box::new(one)),
            4 => Call::Find(realm, user_id(id)),
            5 => Call::FindByEmail(realm, index),
            6..=8 => Call::Replace(Box::new(one), other % 2),
            _ => Call::Delete(realm, user_id(id)),
        }
    }

    fn makes(_call: &Call) -> bool {
        false
    }

    async fn answer(users: &Self::Port, call: &Call) -> Result<Answer, PortError> {
        Ok(match call {
            Call::Insert(user) => {
                let id_taken = users.find(&user.realm, &user.id).await?.is_some();
                let email_taken = users.find_by_email(&user.realm, &user.person.email_index).await?.is_some();
                match users.insert(User::clone(user)).await? {
                    Err(Refusal::EmailTaken | Refusal::IdTaken) if id_taken && email_taken => Answer::DoublyRefused,
                    answer => Answer::Inserted(answer),
                }
            }
            Call::Find(realm, id) => Answer::Found(Box::new(users.find(realm, id).await?)),
            Call::FindByEmail(realm, email) => Answer::Found(Box::new(users.find_by_email(realm, email).await?)),
            Call::Replace(user, expected) => Answer::Replaced(users.replace(User::clone(user), *expected).await?),
            Call::Delete(realm, id) => Answer::Deleted(users.delete(realm, id).await?),
        })
    }
}
