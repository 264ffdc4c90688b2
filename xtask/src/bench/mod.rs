//! Measurements: the real server as its own process, driven over sockets, beside what this machine could do at best,
//! in the same run. A figure alone means nothing on a machine that others use too; a ratio does.

mod answers;
mod growth;
mod hostile;
mod memory;
mod rates;
mod report;
mod server;
mod startup;
mod storm;
mod tools;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::report::Report;
use self::tools::Tools;
use crate::commands::{cargo, step};
use portcullis_test_services::Services;

/// The sections, in the order in which they run.
const SECTIONS: &[(&str, Section, &str)] = &[
    ("startup", startup::section, "start to first answer, idle memory, size of the binary"),
    ("login", rates::login, "logins a second beside bare hashes"),
    ("profile", rates::profile, "profile reads a second beside a bare handler"),
    ("refresh", rates::refresh, "rotations a second beside bare commits"),
    ("register", rates::register, "registrations a second beside bare hashes"),
    ("storm", storm::section, "paced profile reads while many log in"),
    ("memory", memory::section, "memory after logins and with many users, bytes on disk a user"),
    ("growth", growth::section, "the same requests with a thousand times as many users"),
    ("accounts", memory::accounts, "exports, deletions and keys rewrapped a second"),
    ("timing", answers::timing, "whether the time of an answer tells known from unknown"),
    ("overload", answers::overload, "500 logins at once"),
    ("hostile", hostile::section, "10,000 hostile connections of each kind, while somebody logs in"),
];

/// Measures, and reports.
type Section = fn(&mut Bench) -> Result<()>;

/// A run.
pub struct Bench {
    tools: Tools,
    report: Report,
    /// Fewer seconds and smaller numbers: for work on the bench itself, and for a first look.
    quick: bool,
    /// How often everything is measured, in turn.
    rounds: usize,
    /// Where servers keep their data.
    folder: PathBuf,
    /// MongoDB's protocol and Redis, once something asked for them.
    services: Option<Services>,
}

impl Bench {
    /// How long one measurement takes.
    const fn seconds(&self) -> u32 {
        if self.quick { 3 } else { 10 }
    }

    /// MongoDB's protocol and Redis.
    fn services(&mut self) -> Result<(String, String)> {
        if self.services.is_none() {
            self.services = Some(Services::start(3)?);
        }
        let services = self.services.as_ref().context("they have just been started")?;
        Ok((services.mongo_url.clone(), services.redis_url.clone()))
    }
}

/// Measures the sections that are named, or all.
///
/// # Errors
/// When something does not build, start or answer.
pub fn run(arguments: &[&str]) -> Result<()> {
    let quick = arguments.contains(&"--quick");
    let named: Vec<&str> = arguments.iter().copied().filter(|argument| *argument != "--quick").collect();
    if let Some(unknown) = named.iter().find(|name| SECTIONS.iter().all(|(known, ..)| known != *name)) {
        let known: Vec<String> = SECTIONS.iter().map(|(name, _, what)| format!("  {name:<10}{what}")).collect();
        bail!("there is no section {unknown}. There are, and --quick for a short run:\n{}", known.join("\n"));
    }
    // each on its own, so that nothing the bench needs is switched on in the server
    step("build the server", cargo(&["build", "--release", "--package", "portcullis-server"]))?;
    step("build the bench", cargo(&["build", "--release", "--package", "portcullis-bench"]))?;
    let folder = std::env::current_dir()?.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let tools = Tools::find(&folder)?;
    let mut bench = Bench { tools, report: Report::new(quick), quick, rounds: 3, folder, services: None };
    for (name, section, what) in SECTIONS {
        if named.is_empty() || named.contains(name) {
            println!("==> {name}: {what}");
            let began = Instant::now();
            let done = section(&mut bench).with_context(|| format!("section {name}"));
            println!("==> {name}: {:.0} s", began.elapsed().as_secs_f64());
            // report the measured values even if a section fails
            if let Err(error) = done {
                bench.report.note(format!("{error:#}"));
            }
        }
    }
    let path = bench.folder.join("bench.json");
    bench.report.finish(&path)?;
    println!("\n{}", path.display());
    if bench.report.is_complete() { Ok(()) } else { bail!("not everything could be measured") }
}
