//! Random calls of the one-time token store.

use super::{Dice, Model, after, agree};
use crate::contract::{Outcome, Records, Setup};
use crate::samples::{digest, token};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

/// The port answers whatever its fake answers.
pub async fn agrees_with_the_fake(tokens: &Setup<Records<dyn OneTimeTokenStore>>) -> Outcome {
    agree::<Tokens>(&*tokens.port, &Records::of_fakes(|ports| ports.one_time_tokens.clone())).await
}

struct Tokens;

#[derive(Debug)]
enum Call {
    Put(OneTimeToken),
    Peek(Realm, Purpose, Digest, Timestamp),
    Find(TokenOwner, Timestamp),
    Consume(Realm, Purpose, Digest, Timestamp),
    Arm(TokenOwner, Digest, Digest, Timestamp),
    Try(CodeLookup, Digest, Timestamp),
    RemoveAll(Realm, UserId),
    Remove(TokenOwner),
    Purge(Timestamp),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Found(Option<OneTimeToken>),
    Armed(bool),
    Tried(CodeAttempt),
    Purged(u64),
}

/// A token of two purposes and two subjects, so that they often meet.
fn some_token(dice: &Dice) -> OneTimeToken {
    let [subject, code, purpose] = dice.three(2);
    let purpose = if purpose == 0 { Purpose::LoginMfa } else { Purpose::VerifyPhone };
    OneTimeToken {
        token: digest("token", dice.step),
        code: (dice.number(5) > 0).then(|| digest("code", code)),
        tries_left: u8::try_from(dice.number(3)).unwrap_or(0),
        created_at: dice.now(),
        expires_at: after(dice.step + dice.number(30)),
        ..token(&dice.realm(), purpose, subject)
    }
}

impl Model for Tokens {
    type Port = Records<dyn OneTimeTokenStore>;
    type Call = Call;
    type Answer = Answer;

    async fn clear(tokens: &Self::Port) -> Result<(), PortError> {
        tokens.purge_expired(after(10_000)).await.map(drop)
    }

    fn call(dice: &Dice) -> Call {
        let one = some_token(dice);
        let (realm, purpose, now) = (dice.realm(), one.holder.purpose, dice.now());
        let (recent, guess) = (digest("token", dice.recent()), digest("code", dice.number(2)));
        match dice.call(24) {
            0..=6 => Call::Put(one),
            7..=8 => Call::Peek(realm, purpose, recent, now),
            9 => Call::Find(one.holder, now),
            10..=11 => Call::Consume(realm, purpose, recent, now),
            12..=14 => Call::Arm(one.holder, recent, guess, now),
            15..=17 => Call::Try(CodeLookup::Token(realm, purpose, recent), guess, now),
            18..=20 => Call::Try(CodeLookup::Owner(one.holder), guess, now),
            21 => Call::RemoveAll(realm, one.holder.subject),
            22 => Call::Remove(one.holder),
            _ => Call::Purge(now),
        }
    }

    fn makes(call: &Call) -> bool {
        matches!(call, Call::Put(_))
    }

    async fn answer(tokens: &Self::Port, call: &Call) -> Result<Answer, PortError> {
        Ok(match call {
            Call::Put(one) => {
                tokens.put(one.clone()).await?;
                Answer::Done
            }
            Call::Peek(realm, purpose, digest, now) => {
                Answer::Found(tokens.find_valid(realm, *purpose, digest, *now).await?)
            }
            Call::Find(holder, now) => Answer::Found(tokens.find(holder, *now).await?),
            Call::Consume(realm, purpose, digest, now) => {
                Answer::Found(tokens.consume(realm, *purpose, digest, *now).await?)
            }
            Call::Arm(holder, digest, code, now) => {
                Answer::Armed(tokens.set_code(holder, digest, *code, 2, *now).await?)
            }
            Call::Try(of, code, now) => Answer::Tried(match tokens.try_code(of, code, *now).await? {
                // The number of tries that a used token had left is unspecified.
                CodeAttempt::Right(right) => CodeAttempt::Right(OneTimeToken { tries_left: 0, ..right }),
                answer => answer,
            }),
            Call::RemoveAll(realm, subject) => {
                tokens.remove_all(realm, subject).await?;
                Answer::Done
            }
            Call::Remove(holder) => {
                tokens.remove(holder).await?;
                Answer::Done
            }
            Call::Purge(now) => Answer::Purged(tokens.purge_expired(*now).await?),
        })
    }
}
