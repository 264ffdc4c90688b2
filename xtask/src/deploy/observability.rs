//! `deploy/observability`: the alert rules by Prometheus' own tool, with their unit tests. `tests/production` compares the names of
//! metrics with a scrape.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::commands::step;

/// Checks the rules and runs their tests.
///
/// # Errors
/// When one fails.
pub fn check() -> Result<()> {
    let promtool = promtool()?;
    for arguments in [
        ["check", "rules", "deploy/observability/alerts.yaml"],
        ["test", "rules", "deploy/observability/alerts-test.yaml"],
    ] {
        let mut command = Command::new(&promtool);
        step(&format!("promtool {}", arguments.join(" ")), {
            command.args(arguments);
            command
        })?;
    }
    Ok(())
}

/// Promtool has nothing to say of the metrics that the tests left.
///
/// # Errors
/// If it has.
pub fn check_metrics() -> Result<()> {
    let mut command = Command::new(promtool()?);
    command.args(["check", "metrics"]).stdin(File::open("target/metrics.txt").context("target/metrics.txt")?);
    let found = command.output().context("promtool could not be started")?;
    let said = [found.stdout, found.stderr].concat();
    ensure!(found.status.success() && said.is_empty(), "promtool: {}", String::from_utf8_lossy(&said));
    println!("==> promtool has nothing to say of the metrics");
    Ok(())
}

/// `promtool` out of Debian's package of Prometheus, which is unpacked and not installed: it would start a server.
fn promtool() -> Result<PathBuf> {
    let folder = std::env::current_dir()?.join("target/tools/prometheus");
    let program = folder.join("usr/bin/promtool");
    if !program.exists() {
        std::fs::create_dir_all(&folder)?;
        let mut download = Command::new("apt-get");
        download.args(["download", "-q", "prometheus"]).current_dir(&folder);
        step("download prometheus", download)?;
        let packages = std::fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let package = packages.filter(|path| path.extension().is_some_and(|end| end == "deb")).max();
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(package.context("a package")?).arg(&folder);
        step("unpack prometheus", unpack)?;
    }
    Ok(program)
}
