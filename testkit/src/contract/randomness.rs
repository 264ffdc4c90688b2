//! Contract cases of the source of randomness.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Case, Outcome, Setup};
use portcullis_core::ports::randomness::Randomness;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn Randomness>> {
    cases![no_two_fills_agree, fills_every_byte, favours_no_bit, fills_nothing_and_much, a_racing_crowd_shares_nothing]
}

fn draw<const N: usize>(randomness: &dyn Randomness) -> [u8; N] {
    let mut bytes = [0; N];
    randomness.fill(&mut bytes);
    bytes
}

async fn no_two_fills_agree(randomness: &Setup<dyn Randomness>) -> Outcome {
    let drawn: BTreeSet<[u8; 16]> = (0..1000).map(|_| draw(&**randomness)).collect();
    assert_eq!(drawn.len(), 1000);
    Ok(())
}

async fn fills_every_byte(randomness: &Setup<dyn Randomness>) -> Outcome {
    for length in 1..100 {
        let mut touched = vec![0; length];
        for _ in 0..40 {
            let mut bytes = vec![0; length];
            randomness.fill(&mut bytes);
            touched.iter_mut().zip(bytes).for_each(|(all, byte)| *all |= byte);
        }
        assert!(touched.iter().all(|&byte| byte != 0), "a byte of {length} stays zero");
    }
    Ok(())
}

async fn favours_no_bit(randomness: &Setup<dyn Randomness>) -> Outcome {
    let ones: u32 = (0..1000).flat_map(|_| draw::<32>(&**randomness)).map(u8::count_ones).sum();
    // 256,000 fair bits: the deviation is 253, and this allows for ten of them.
    assert!(ones.abs_diff(128_000) < 2_530, "{ones} of 256000 bits are set");
    Ok(())
}

async fn fills_nothing_and_much(randomness: &Setup<dyn Randomness>) -> Outcome {
    randomness.fill(&mut []);
    let mut much = vec![0; 100_000];
    randomness.fill(&mut much);
    let distinct: BTreeSet<&[u8]> = much.chunks(16).collect();
    assert_eq!(distinct.len(), much.len() / 16);
    Ok(())
}

async fn a_racing_crowd_shares_nothing(randomness: &Setup<dyn Randomness>) -> Outcome {
    let fill = |randomness: Arc<dyn Randomness>, _| async move {
        Ok((0..2000).map(|_| draw::<16>(&*randomness)).collect::<Vec<_>>())
    };
    let drawn: BTreeSet<[u8; 16]> = randomness.race(10, fill).await?.into_iter().flatten().collect();
    assert_eq!(drawn.len(), 20_000);
    Ok(())
}
