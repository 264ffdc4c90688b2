//! Every contract over every backend: `user_store::refuses_a_taken_email[embedded]`. A backend that is not there is
//! reported as ignored, and as failed where `REQUIRE_BACKENDS` (names with commas) asks for it.

mod backends;
mod racer;

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_testkit::contract::{AnyCase, all};
use tokio::runtime::Runtime;

use crate::backends::{BACKENDS, Kind};
use crate::racer::OnRuntime;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new()?);
    let required = required();
    let mut trials: Vec<Trial> =
        BACKENDS.iter().flat_map(|kind| trials_of(kind, required.contains(kind.name), &runtime)).collect();
    let unknown = required.into_iter().filter(|name| BACKENDS.iter().all(|kind| kind.name != name));
    trials.extend(unknown.map(|name| failing(format!("backend[{name}]"), "there is no such backend".to_owned())));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

#[expect(clippy::disallowed_methods, reason = "a test runner is told by its environment what to insist on")]
fn required() -> BTreeSet<String> {
    let names = std::env::var("REQUIRE_BACKENDS").unwrap_or_default();
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// One backend's cases, or what stands for them where it is not there.
fn trials_of(kind: &'static Kind, required: bool, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let cases = all().into_iter().filter(|case| kind.ports.is_none_or(|ports| ports.contains(&case.port)));
    match (kind.missing)() {
        None => cases.map(|case| trial(kind, case, Arc::clone(runtime))).collect(),
        Some(reason) if required => vec![failing(format!("backend[{}]", kind.name), reason)],
        Some(_) => cases.map(|case| ignored(format!("{case}[{}]", kind.name))).collect(),
    }
}

fn trial(kind: &'static Kind, case: AnyCase, runtime: Arc<Runtime>) -> Trial {
    Trial::test(format!("{case}[{}]", kind.name), move || {
        let racer = Arc::new(OnRuntime(runtime.handle().clone()));
        let outcome = runtime.block_on(async {
            let opened = (kind.open)()?;
            let outcome = case.run(&opened.backend, racer).await;
            if let Some(database) = &opened.database {
                database.drop_database().await?;
            }
            outcome
        });
        outcome.map_err(|error| Failed::from(explain(&*error)))
    })
}

fn ignored(name: String) -> Trial {
    Trial::test(name, || Ok(())).with_ignored_flag(true)
}

fn failing(name: String, reason: String) -> Trial {
    Trial::test(name, move || Err(Failed::from(reason)))
}

/// An error and all that is behind it.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
