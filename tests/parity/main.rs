//! The npm package gives the server's answers: a corpus, random cases and every code point go through core here, which
//! uses ICU4X as in the server, and through the package in Node, whose modules use the compact Unicode tables. `cargo xtask
//! wasm` builds the package. Without it the tests that need it are reported as ignored; if `REQUIRE_WASM` is set, as CI
//! does, they fail.

#![expect(clippy::disallowed_methods, reason = "environment variables choose the seed and what is required")]

#[path = "../corpus/mod.rs"]
mod corpus;
#[path = "../../wasm/idna_adapter/tests/domains/answers.rs"]
mod domains;
mod node;
mod verdicts;

use corpus::{Corpus, HOSTILE};
use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_core::model::strength::{StrengthContext, estimate};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// The current years that passwords are judged by: 2026 and its neighbours, and years far from the dates in passwords.
const YEARS: [i32; 5] = [2026, 2027, 1985, 2060, 2025];

fn main() {
    let required = std::env::var_os("REQUIRE_WASM").is_some();
    let ignored = !required && !node::is_built();
    let trials = vec![
        Trial::test("scores_are_those_of_the_zxcvbn_crate", crate_scores),
        Trial::test("answers_about_domains_are_as_recorded", recorded_domains),
        Trial::test("the_corpus_in_the_package", || compare(&whole_corpus())).with_ignored_flag(ignored),
        Trial::test("random_cases_in_the_package", || compare(&random_cases())).with_ignored_flag(ignored),
        Trial::test("every_code_point_in_the_package", every_code_point).with_ignored_flag(ignored),
        Trial::test("scores_are_those_of_zxcvbn_js", javascript_scores).with_ignored_flag(ignored),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn whole_corpus() -> Vec<Value> {
    let Corpus { emails, phones, names, passwords } = Corpus::new();
    assert!(emails.len() >= 2000 && phones.len() >= 1000 && names.len() >= 1000 && passwords.len() >= 10_000);
    let mut cases: Vec<Value> = emails.iter().map(|email| json!(["email", email])).collect();
    cases.extend(emails.iter().map(|email| json!(["email", email, true])));
    cases.extend(phones.iter().map(|(number, country)| json!(["phone", number, country])));
    cases.extend(phones.iter().map(|(number, _)| json!(["phone", number])));
    cases.extend(phones.iter().map(|(_, country)| json!(["country_code", country])));
    cases.extend(names.iter().map(|name| json!(["name", name])));
    cases.extend(passwords.iter().map(|password| json!(["policy", password])));
    let person = |at: usize| (&names[at % names.len()], &names[(at * 7 + 3) % names.len()], &emails[at % emails.len()]);
    for (at, password) in passwords.iter().enumerate() {
        let (first, last, email) = person(at);
        cases.push(json!(["strength", password, [first, last], email, "Portcullis", YEARS[at % YEARS.len()]]));
        let (number, country) = &phones[at % phones.len()];
        cases.push(json!(["registration", first, last, email, number, country, password, YEARS[at % YEARS.len()]]));
    }
    let none = Value::Null;
    let missing = json!(["registration", none, none, none, none, none, none, 2026]);
    cases.push(missing);
    cases
}

fn random_cases() -> Vec<Value> {
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
        cases.push(json!(["email", email, at % 2 == 0]));
        cases.push(json!(["phone", number, country]));
        cases.push(json!(["phone", number]));
        cases.push(json!(["country_code", country]));
        cases.push(json!(["name", any]));
        cases.push(json!(["policy", password]));
        let year = YEARS[at % YEARS.len()];
        cases.push(json!(["strength", password, [any, HOSTILE[at % HOSTILE.len()]], email, "", year]));
        cases.push(json!(["registration", any, any, email, number, country, password, year]));
    }
    cases
}

/// Every code point in a domain (UTS 46), in a name (NFC) and in a password (NFKC), before a mark that may compose with
/// it. Plane by plane, to bound the memory.
fn every_code_point() -> Result<(), Failed> {
    for plane in 0..0x11_u32 {
        let characters = (plane << 16..(plane + 1) << 16).filter_map(char::from_u32);
        let cases = characters.flat_map(|c| {
            let (domain, text) = (format!("x@a{c}\u{301}.com"), format!("A{c}\u{301}"));
            [
                json!(["email", domain]),
                json!(["email", format!("A{c}\u{301}@x.org"), true]),
                json!(["name", text]),
                json!(["policy", format!("password{text}")]),
            ]
        });
        compare(&cases.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The server's answers about domains, with the published `idna` and ICU4X, are those that the compact tables are compared
/// with in `wasm/`. `RECORD_DOMAINS=1` records them: for a new version of Unicode.
fn recorded_domains() -> Result<(), Failed> {
    if std::env::var_os("RECORD_DOMAINS").is_some() {
        let record = concat!(env!("CARGO_MANIFEST_DIR"), "/../wasm/idna_adapter/tests/domains.txt");
        return std::fs::write(record, domains::all()).map_err(Failed::from);
    }
    domains::check();
    Ok(())
}

/// A different one each time: no test may depend on it.
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

/// The year of the zxcvbn crate's own calendar: it takes one guess more for 1900 than years have passed since.
fn calendar_year() -> i32 {
    i32::try_from(1900 + zxcvbn::zxcvbn("1900", &[]).guesses() - 1).unwrap()
}

fn crate_scores() -> Result<(), Failed> {
    let (passwords, context) = (Corpus::new().passwords, StrengthContext::of_year(calendar_year()));
    let differs =
        |password: &&String| estimate(password, &context).score != u8::from(zxcvbn::zxcvbn(password, &[]).score());
    let different: Vec<&String> = passwords.iter().filter(differs).collect();
    println!("{} passwords, {} scores differ from the crate's", passwords.len(), different.len());
    if different.is_empty() { Ok(()) } else { Err(format!("{different:?}").into()) }
}

fn javascript_scores() -> Result<(), Failed> {
    let (passwords, context) = (Corpus::new().passwords, StrengthContext::of_year(calendar_year()));
    let cases: Vec<Value> = passwords.iter().map(|password| json!(["zxcvbn.js", password])).collect();
    let answers = node::evaluate(&cases);
    let mut different = Vec::new();
    for (password, answer) in passwords.iter().zip(&answers) {
        let (ours, theirs) = (estimate(password, &context).score, answer.as_u64());
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
