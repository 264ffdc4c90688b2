//! The steps of CI, one command each: `cargo xtask ci | ci-full | setup | fmt | clippy | docs | portable | test | testkit | testkit build | examples | examples full | services | openapi | openapi lint | promtool | clients | clients full | configuration | pack-dictionary | breached | published-secrets | unicode | unicode check | wasm | wasm apps | wasm check | wasm workspace | demo | demo check | deploy | deploy helm | dist | dist check | fuzz [--seconds N] | deny | advisories | sbom | viewers | viewers check | reproducible | coverage | bench [section…] [--quick]`.

mod bench;
mod breached;
mod clients;
mod commands;
mod configuration;
mod demo;
mod deploy;
mod examples;
mod fuzz;
mod pack_dictionary;
mod published_secrets;
mod reproducible;
mod steps;
mod supply_chain;
mod testkit;
mod unicode;
mod viewers;
mod wasm;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask ci | ci-full | setup | fmt | clippy | docs | portable | test | testkit | testkit build | examples | examples full | services | openapi | openapi lint | promtool | clients | clients full | configuration | pack-dictionary | breached | published-secrets | unicode | unicode check | wasm | wasm apps | wasm check | wasm workspace | demo | demo check | deploy | deploy helm | dist | dist check | fuzz [--seconds N] | deny | advisories | sbom | viewers | viewers check | reproducible | coverage | bench [section…] [--quick]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["ci"] => steps::ci(),
        ["ci-full"] => steps::ci_full(),
        ["setup"] => steps::setup(),
        ["openapi"] => steps::openapi(),
        ["openapi", "lint"] => clients::lint(),
        ["clients"] => clients::run(),
        ["clients", "full"] => clients::full(),
        ["fmt"] => steps::fmt(),
        ["clippy"] => steps::clippy(),
        ["portable"] => steps::portable(),
        ["docs"] => steps::docs(),
        ["test"] => steps::test(),
        ["testkit"] => testkit::run(),
        ["testkit", "build"] => testkit::build(),
        ["examples"] => examples::node_and_python(),
        ["examples", "full"] => examples::node_and_python().and_then(|()| examples::go_and_java()),
        ["services"] => steps::services(),
        ["wasm"] => wasm::build(),
        ["wasm", "apps"] => wasm::apps(),
        ["wasm", "check"] => wasm::check(),
        ["wasm", "workspace"] => wasm::workspace(),
        #[cfg(feature = "bindgen")]
        ["wasm", "bind", module, input, output] => wasm::bind(module, input, output),
        ["demo"] => wasm::build().and_then(|()| demo::pack()),
        ["demo", "check"] => demo::check(),
        ["configuration"] => configuration::write(),
        ["deploy" | "promtool" | "dist", ..] => deploy::run(&words),
        ["pack-dictionary"] => pack_dictionary::pack(),
        ["breached"] => breached::pack(),
        ["published-secrets"] => published_secrets::pack(),
        ["reproducible"] => reproducible::run(),
        ["fuzz"] => fuzz::run(),
        ["fuzz", "--seconds", seconds] => seconds.parse().map_err(Into::into).and_then(fuzz::run_for),
        ["deny"] => supply_chain::deny(),
        ["advisories"] => supply_chain::advisories(),
        ["sbom"] => supply_chain::sbom(),
        ["viewers"] => viewers::compare(),
        ["viewers", "check"] => viewers::check(),
        ["unicode"] => unicode::pack(),
        ["unicode", "check"] => unicode::check(),
        ["coverage"] => steps::coverage(),
        ["bench", sections @ ..] => bench::run(sections),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
