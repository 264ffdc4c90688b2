//! Every target on its corpus and on mutations of it. `cargo xtask fuzz --seconds N` gives each N seconds and a new seed.

use std::time::Duration;

use portcullis_fuzz::{TARGETS, engine, tokens};

#[expect(clippy::disallowed_methods, reason = "cargo xtask fuzz says how long and from which seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn fuzz(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let genuine = match name {
        "access_token" => tokens::genuine_access_tokens(),
        "phc_string" => vec![tokens::genuine_hash()],
        _ => Vec::new(),
    };
    let (seed, time) = (number("FUZZ_SEED").unwrap_or(1), number("FUZZ_SECONDS").map(Duration::from_secs));
    let run = engine::run(name, *target, &genuine, seed, time);
    println!("{name}: {} of the corpus, {} mutated, seed {seed}", run.corpus, run.mutated);
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test() {
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    email phone password_strength access_token refresh_token phc_string forwarded dotenv template json_body form_body headers
}

#[test]
#[should_panic(expected = "broken")]
fn a_broken_invariant_is_found() {
    let target = |data: &[u8]| assert!(!data.contains(&b'@'), "broken");
    engine::run("phone", target, &[], 1, None);
}
