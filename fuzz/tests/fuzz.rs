//! Every target on its corpus and on mutations of it. `cargo xtask fuzz --seconds N` gives each N seconds and a new seed.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_fuzz::{TARGETS, engine, passkeys, tokens};

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
    email phone password_strength access_token refresh_token phc_string passkey_creation passkey_signature forwarded dotenv template
    json_body form_body headers
}

#[test]
fn the_corpus_has_every_mistake_of_a_passkey_and_only_the_genuine_ones_are_accepted() {
    let (files, temporary) = (passkeys::corpus(), std::env::temp_dir().join("portcullis-corpus"));
    let mut older = Vec::new();
    for (kind, name, newest) in &files {
        assert_eq!(passkeys::is_accepted(kind, newest), *name == "genuine", "{kind}: {name}");
        if std::fs::read(engine::corpus_of(kind).join(name)).ok().as_ref() != Some(newest) {
            std::fs::create_dir_all(temporary.join(kind)).expect("a folder");
            std::fs::write(temporary.join(kind).join(name), newest).expect("a file");
            older.push(format!("{kind}/{name}"));
        }
    }
    assert!(older.is_empty(), "take {older:?} from {}", temporary.display());
    let folders: BTreeSet<_> = files.iter().map(|(kind, ..)| engine::corpus_of(kind)).collect();
    let stored: usize = folders.iter().map(|folder| std::fs::read_dir(folder).map_or(0, Iterator::count)).sum();
    assert_eq!(stored, files.len(), "files that are of no mistake");
}

#[test]
#[should_panic(expected = "broken")]
fn a_broken_invariant_is_found() {
    let target = |data: &[u8]| assert!(!data.contains(&b'@'), "broken");
    engine::run("phone", target, &[], 1, None);
}
