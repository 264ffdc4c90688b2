//! Random sequences of calls, given to a port and to its fake: both must answer the same, every time. What fails is
//! cut down to the shortest sequence that still does.

pub(super) mod one_time_token_store;
pub(super) mod registration_store;
pub(super) mod session_store;
pub(super) mod user_store;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Outcome;
use crate::model::realm::Realm;
use crate::ports::error::PortError;
use crate::testing::samples::realm;

/// The seed of all sequences; printed with whatever fails.
const SEED: [u8; 32] = *b"portcullis: fakes must not drift";
const SEQUENCES: u32 = 12;
const LENGTH: usize = 40;
/// Shorter sequences that are tried once one has failed.
const SHRINKS: u32 = 200;

/// What a call is made from. Small numbers, so that calls meet each other's records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice {
    /// Which call.
    pub(super) call: u8,
    /// Which realm.
    pub(super) realm: u8,
    /// Which record, by each of its names.
    pub(super) names: [u8; 3],
    /// Which version, when, how many.
    pub(super) number: u8,
}

impl Dice {
    /// One of `n`.
    pub(super) fn of(byte: u8, n: u8) -> u64 {
        u64::from(byte % n)
    }
}

/// Two realms that no other sequence uses.
#[derive(Debug)]
pub(super) struct Realms([Realm; 2]);

impl Realms {
    pub(super) fn pick(&self, byte: u8) -> &Realm {
        let [first, second] = &self.0;
        if byte.is_multiple_of(4) { second } else { first }
    }
}

/// Plays one call on both; the two answers in words.
pub(super) trait Pair {
    /// Empties both of what earlier sequences left behind and can expire.
    async fn clear(&self) -> Result<(), PortError>;

    /// Plays a call. `step` counts the calls of the sequence.
    async fn play(&self, realms: &Realms, step: u64, dice: Dice) -> Result<Answers, PortError>;
}

/// What was asked, and the two answers.
pub(super) struct Answers {
    call: String,
    port: String,
    fake: String,
}

impl Answers {
    pub(super) fn new<T: Debug>(call: impl Debug, port: &T, fake: &T) -> Self {
        Self { call: format!("{call:?}"), port: format!("{port:?}"), fake: format!("{fake:?}") }
    }
}

/// Plays random sequences on a pair.
pub(super) async fn agree(pair: &(impl Pair + Sync)) -> Outcome {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let dice = any::<[u8; 6]>().prop_map(|[call, realm, a, b, c, number]| Dice { call, realm, names: [a, b, c], number });
    let sequence = vec(dice, 1..=LENGTH);
    let mut played = 0;
    for number in 0..SEQUENCES {
        let mut tree = sequence.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let Some(mut story) = play(pair, &mut played, tree.current()).await? else { continue };
        for _ in 0..SHRINKS {
            if !tree.simplify() {
                break;
            }
            while let Some(shorter) = play(pair, &mut played, tree.current()).await? {
                story = shorter;
                if !tree.simplify() {
                    break;
                }
            }
            if !tree.complicate() {
                break;
            }
        }
        let seed = String::from_utf8_lossy(&SEED);
        return Err(format!("the port and its fake disagree (sequence {number} of seed {seed:?}):\n{story}").into());
    }
    Ok(())
}

/// Plays one sequence in realms of its own; the calls up to a disagreement, if there is one.
async fn play(pair: &impl Pair, played: &mut u32, sequence: Vec<Dice>) -> Result<Option<String>, PortError> {
    *played += 1;
    let realms = Realms([realm(&format!("P{played}")), realm(&format!("Q{played}"))]);
    pair.clear().await?;
    let mut story = String::new();
    for (step, dice) in (0..).zip(sequence) {
        let Answers { call, port, fake } = pair.play(&realms, step, dice).await?;
        story.push_str(&format!("{call}\n"));
        if port != fake {
            story.push_str(&format!("  port: {port}\n  fake: {fake}\n"));
            return Ok(Some(story));
        }
    }
    Ok(None)
}
