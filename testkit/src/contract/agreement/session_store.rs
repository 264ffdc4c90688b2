//! Random calls of the session store.

use super::{Dice, Model, after, agree};
use crate::contract::{Outcome, Records, Setup};
use crate::samples::{digest, session, session_id, user_id};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::SessionStore;

/// The port answers whatever its fake answers.
pub async fn agrees_with_the_fake(sessions: &Setup<Records<dyn SessionStore>>) -> Outcome {
    agree::<Sessions>(&*sessions.port, &Records::of_fakes(|ports| ports.sessions.clone())).await
}

struct Sessions;

#[derive(Debug)]
enum Call {
    Insert(Box<Session>),
    Find(Realm, SessionId),
    Rotate(Box<Session>, u64),
    List(Realm, UserId),
    End(Realm, SessionId),
    EndAll(Realm, UserId, Option<SessionId>),
    Purge(Timestamp),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Found(Vec<Session>),
    Rotated(Result<(), Refusal>),
    Ended(bool),
    Counted(u64),
}

impl Model for Sessions {
    type Port = Records<dyn SessionStore>;
    type Call = Call;
    type Answer = Answer;

    async fn clear(sessions: &Self::Port) -> Result<(), PortError> {
        sessions.purge_expired(after(10_000)).await.map(drop)
    }

    fn call(dice: &Dice) -> Call {
        let realm = dice.realm();
        let [user, version, expected] = dice.three(2);
        let id = session_id(dice.recent());
        let ends = Session {
            version,
            current: digest("refresh token", dice.step),
            idle_expires_at: after(dice.step + dice.number(29)),
            expires_at: after(dice.step + dice.number(31)),
            created_at: dice.now(),
            ..session(&realm, user, dice.step)
        };
        match dice.call(16) {
            0..=5 => Call::Insert(Box::new(ends)),
            6..=7 => Call::Find(realm, id),
            8..=11 => Call::Rotate(Box::new(Session { id, ..ends }), expected),
            12 => Call::List(realm, user_id(user)),
            13 => Call::End(realm, id),
            14 => Call::EndAll(realm, user_id(user), (version > 0).then_some(id)),
            _ => Call::Purge(dice.now()),
        }
    }

    fn makes(call: &Call) -> bool {
        matches!(call, Call::Insert(_))
    }

    async fn answer(sessions: &Self::Port, call: &Call) -> Result<Answer, PortError> {
        Ok(match call {
            Call::Insert(one) => {
                sessions.insert(Session::clone(one)).await?;
                Answer::Done
            }
            Call::Find(realm, id) => Answer::Found(Vec::from_iter(sessions.find(realm, id).await?)),
            Call::Rotate(next, expected) => Answer::Rotated(sessions.replace(Session::clone(next), *expected).await?),
            Call::List(realm, user) => Answer::Found(sessions.list(realm, user).await?),
            Call::End(realm, id) => Answer::Ended(sessions.end(realm, id).await?),
            Call::EndAll(realm, user, except) => Answer::Counted(sessions.end_all(realm, user, *except).await?),
            Call::Purge(now) => Answer::Counted(sessions.purge_expired(*now).await?),
        })
    }
}
