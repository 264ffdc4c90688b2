//! The npm package and the server say the same: one corpus, and cases by chance, through core here and through the
//! package in Node. Zero differences. The package is built by `cargo xtask wasm`; where it is not, what needs it is
//! reported as ignored, and is a failure where `REQUIRE_WASM` is set (CI does).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and tells its figures"
)]

#[path = "../../tests/corpus/mod.rs"]
mod corpus;
#[path = "parity/node.rs"]
mod node;
#[path = "parity/verdicts.rs"]
mod verdicts;

use corpus::{Corpus, HOSTILE};
use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_core::model::strength::{StrengthContext, estimate};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

fn main() {
    let required = std::env::var_os("REQUIRE_WASM").is_some();
    let ignored = !required && !node::is_built();
    let trials = vec![
        Trial::test("scores_are_those_of_the_zxcvbn_crate", crate_scores),
        Trial::test("the_corpus_in_the_package", || compare(&whole_corpus())).with_ignored_flag(ignored),
        Trial::test("cases_by_chance_in_the_package", || compare(&by_chance())).with_ignored_flag(ignored),
        Trial::test("scores_are_those_of_zxcvbn_js", javascript_scores).with_ignored_flag(ignored),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn whole_corpus() -> Vec<Value> {
    let Corpus { emails, phones, names, passwords } = Corpus::new();
    assert!(emails.len() >= 2000 && phones.len() >= 1000 && names.len() >= 1000 && passwords.len() >= 10_000);
    let mut cases: Vec<Value> = emails.iter().map(|email| json!(["email", email])).collect();
    cases.extend(phones.iter().map(|(number, country)| json!(["phone", number, country])));
    cases.extend(phones.iter().map(|(number, _)| json!(["phone", number])));
    cases.extend(phones.iter().map(|(_, country)| json!(["country_code", country])));
    cases.extend(names.iter().map(|name| json!(["name", name])));
    cases.extend(passwords.iter().map(|password| json!(["policy", password])));
    let person = |at: usize| (&names[at % names.len()], &names[(at * 7 + 3) % names.len()], &emails[at % emails.len()]);
    for (at, password) in passwords.iter().enumerate() {
        let (first, last, email) = person(at);
        cases.push(json!(["strength", password, [first, last], email, "Portcullis"]));
        let (number, country) = &phones[at % phones.len()];
        cases.push(json!(["registration", first, last, email, number, country, password]));
    }
    let missing = json!(["registration", Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null]);
    cases.push(missing);
    cases
}

fn by_chance() -> Vec<Value> {
    let seed: u64 = std::env::var("PARITY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand_seed);
    println!("PARITY_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut draw = |pattern: &'static str| {
        let strategy = proptest::string::string_regex(pattern).unwrap();
        strategy.new_tree(&mut runner).unwrap().current()
    };
    let mut cases = Vec::new();
    for at in 0..2000 {
        let any = draw("(?s).{0,40}");
        let email = match at % 3 {
            0 => draw("[a-zA-Z.\"\\\\ éß]{1,12}@[a-zß.-]{1,10}\\.[a-zö]{2,5}"),
            1 => draw("\\w{1,6}@\\w{1,8}\\.\\w{1,6}"),
            _ => any.clone(),
        };
        let number = draw("\\+?[0-9 ()./-]{5,18}");
        let country = draw("[A-Z]{2}|\\+[0-9]{1,3}");
        let password = if at % 2 == 0 { draw("(?s).{0,24}") } else { draw("[a-zA-Z0-9!@#$%|/.-]{1,18}") };
        cases.push(json!(["email", email]));
        cases.push(json!(["phone", number, country]));
        cases.push(json!(["phone", number]));
        cases.push(json!(["country_code", country]));
        cases.push(json!(["name", any]));
        cases.push(json!(["policy", password]));
        cases.push(json!(["strength", password, [any, HOSTILE[at % HOSTILE.len()]], email, ""]));
        cases.push(json!(["registration", any, any, email, number, country, password]));
    }
    cases
}

/// Another one each time: nothing here may depend on it.
fn rand_seed() -> u64 {
    std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0)
}

fn compare(cases: &[Value]) -> Result<(), Failed> {
    let answers = node::evaluate(cases);
    let mut differences = Vec::new();
    for (case, there) in cases.iter().zip(&answers) {
        let here = verdicts::verdict(case);
        if !same(&here, there) {
            differences.push(format!("{case}\n  core: {here}\n  node: {there}"));
        }
    }
    println!("{} cases, {} differences", cases.len(), differences.len());
    if differences.is_empty() && answers.len() == cases.len() {
        return Ok(());
    }
    differences.truncate(20);
    Err(differences.join("\n").into())
}

/// Powers of ten may differ in what no one sees: the two have different logarithms.
fn same(here: &Value, there: &Value) -> bool {
    let power = |of: &Value| of["guessesLog10"].as_f64();
    match (power(here), power(there)) {
        (Some(one), Some(other)) => {
            let without = |of: &Value| {
                let mut of = of.clone();
                of["guessesLog10"] = Value::Null;
                of
            };
            (one - other).abs() < 1e-9 && without(here) == without(there)
        }
        _ => here == there,
    }
}

fn crate_scores() -> Result<(), Failed> {
    let passwords = Corpus::new().passwords;
    let differs = |password: &&String| {
        estimate(password, &StrengthContext::default()).score != u8::from(zxcvbn::zxcvbn(password, &[]).score())
    };
    let different: Vec<&String> = passwords.iter().filter(differs).collect();
    println!("{} passwords, {} scores differ from the crate's", passwords.len(), different.len());
    if different.is_empty() { Ok(()) } else { Err(format!("{different:?}").into()) }
}

fn javascript_scores() -> Result<(), Failed> {
    let passwords = Corpus::new().passwords;
    let cases: Vec<Value> = passwords.iter().map(|password| json!(["zxcvbn.js", password])).collect();
    let answers = node::evaluate(&cases);
    let mut different = Vec::new();
    for (password, answer) in passwords.iter().zip(&answers) {
        let (ours, theirs) = (estimate(password, &StrengthContext::default()).score, answer.as_u64());
        if theirs != Some(u64::from(ours)) {
            different.push(format!("{password:?} {ours} {theirs:?}"));
        }
    }
    println!("{} passwords, {} scores differ from zxcvbn.js's", passwords.len(), different.len());
    if different.len() <= DIFFERENT { Ok(()) } else { Err(different.join("\n").into()) }
}

/// How many scores of the corpus differ from the JavaScript's. The server's scores have always been the crate's: it
/// knows years after 2019, which the JavaScript does not (two thirds of these), and counts some capitals otherwise.
const DIFFERENT: usize = 246;
