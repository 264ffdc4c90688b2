//! Random sequences of calls, given to a port and to its fake: both must answer the same, every time. A failing
//! sequence is shrunk to a short one that still fails.

pub(super) mod one_time_token_store;
pub(super) mod registration_store;
pub(super) mod session_store;
pub(super) mod user_store;

use std::fmt::Debug;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Outcome;
use crate::samples::{NOW, realm};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;

/// The seed of all sequences; printed with whatever fails.
const SEED: [u8; 32] = *b"portcullis: fakes must not drift";
const SEQUENCES: u32 = 20;
const LENGTH: usize = 60;
/// Shorter sequences that are tried once one has failed.
const SHRINKS: u32 = 500;
/// How long a call takes.
const STEP: Duration = Duration::from_mins(10);

/// How to play on a port: what calls there are, and how to make them.
trait Model {
    type Port: ?Sized;
    type Call: Debug;
    type Answer: Debug + PartialEq;

    /// Forgets whatever can expire.
    async fn clear(port: &Self::Port) -> Result<(), PortError>;

    /// The call that the dice say.
    fn call(dice: &Dice) -> Self::Call;

    /// Whether the call makes a record, named after its step, that later calls should meet.
    fn makes(call: &Self::Call) -> bool;

    /// The port's answer to it.
    async fn answer(port: &Self::Port, call: &Self::Call) -> Result<Self::Answer, PortError>;
}

/// The inputs from which one call is generated.
#[derive(Debug)]
struct Dice {
    /// How many calls came before it in its sequence.
    step: u64,
    /// Those of them that made a record.
    made: Vec<u64>,
    /// The sequence's own two realms.
    realms: [Realm; 2],
    thrown: [u8; 6],
}

impl Dice {
    /// Chooses one of `n` calls.
    fn call(&self, n: u8) -> u8 {
        self.thrown[0] % n
    }

    /// One of the two realms; seven times of eight the first.
    fn realm(&self) -> Realm {
        let [first, second] = &self.realms;
        if self.thrown[1].is_multiple_of(8) { second.clone() } else { first.clone() }
    }

    /// Three throws of `n`: small, so that calls meet each other's records.
    fn three(&self, n: u8) -> [u64; 3] {
        [self.thrown[2], self.thrown[3], self.thrown[4]].map(|byte| u64::from(byte % n))
    }

    /// Another random number below `n`.
    fn number(&self, n: u8) -> u64 {
        u64::from(self.thrown[5] % n)
    }

    /// One of the last three records that were made, if there is one.
    fn recent(&self) -> u64 {
        let back = usize::from(self.thrown[5] % 3);
        self.made.iter().rev().take(3).cycle().nth(back).copied().unwrap_or(self.step)
    }

    /// The time of the call.
    fn now(&self) -> Timestamp {
        after(self.step)
    }
}

/// The time after that many calls.
fn after(steps: u64) -> Timestamp {
    NOW + STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

/// Plays random sequences on a port and its fake.
async fn agree<M: Model>(port: &M::Port, fake: &M::Port) -> Outcome {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let sequences = vec(any::<[u8; 6]>(), 1..=LENGTH);
    let mut game = Game::<M> { port, fake, played: 0 };
    for number in 0..SEQUENCES {
        let mut tree = sequences.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let Some(mut story) = game.play(tree.current()).await? else { continue };
        let mut moved = tree.simplify();
        for _ in 0..SHRINKS {
            if !moved {
                break;
            }
            moved = if let Some(shorter) = game.play(tree.current()).await? {
                story = shorter;
                tree.simplify()
            } else {
                tree.complicate()
            };
        }
        let seed = String::from_utf8_lossy(&SEED);
        return Err(format!("the port and its fake disagree (sequence {number} of seed {seed:?}):\n{story}").into());
    }
    Ok(())
}

struct Game<'a, M: Model> {
    port: &'a M::Port,
    fake: &'a M::Port,
    played: u32,
}

impl<M: Model> Game<'_, M> {
    /// Plays one sequence in realms of its own; its calls up to a disagreement, if there is one.
    async fn play(&mut self, sequence: Vec<[u8; 6]>) -> Result<Option<String>, PortError> {
        self.played += 1;
        let realms = [realm(&format!("P{}", self.played)), realm(&format!("Q{}", self.played))];
        M::clear(self.port).await?;
        M::clear(self.fake).await?;
        let (mut story, mut made) = (Vec::new(), Vec::new());
        for (step, thrown) in (0..).zip(sequence) {
            let dice = Dice { step, made, realms: realms.clone(), thrown };
            let call = M::call(&dice);
            made = dice.made;
            if M::makes(&call) {
                made.push(step);
            }
            let (port, fake) = (M::answer(self.port, &call).await?, M::answer(self.fake, &call).await?);
            story.push(format!("{call:?}"));
            if port != fake {
                story.push(format!("  port: {port:?}\n  fake: {fake:?}"));
                return Ok(Some(story.join("\n")));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locked::Locked;
    use crate::race::block_on;

    /// Counts calls of one kind, and forgets to at the third if it is a bad one.
    struct Counter {
        count: Locked<u64>,
        bad: bool,
    }

    struct Counting;

    impl Model for Counting {
        type Port = Counter;
        type Call = bool;
        type Answer = u64;

        async fn clear(port: &Counter) -> Result<(), PortError> {
            *port.count.lock() = 0;
            Ok(())
        }

        fn call(dice: &Dice) -> bool {
            dice.call(2) == 1
        }

        fn makes(_call: &bool) -> bool {
            false
        }

        async fn answer(port: &Counter, &counts: &bool) -> Result<u64, PortError> {
            let mut count = port.count.lock();
            if counts && !(port.bad && *count == 2) {
                *count += 1;
            }
            Ok(*count)
        }
    }

    #[test]
    fn a_drifting_port_is_found_and_its_story_is_short() {
        let counter = |bad| Counter { count: Locked::new(0), bad };
        assert!(block_on(agree::<Counting>(&counter(false), &counter(false))).is_ok());
        let error = block_on(agree::<Counting>(&counter(true), &counter(false))).unwrap_err().to_string();
        assert!(error.ends_with("true\ntrue\ntrue\n  port: 2\n  fake: 3"), "{error}");
        assert_eq!(error.lines().count(), 6, "{error}");
    }
}
