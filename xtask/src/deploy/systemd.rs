//! `deploy/systemd/portcullis.service` by systemd's own tools.

use std::process::Command;

use anyhow::{Result, ensure};

use super::new_folder;
use crate::commands::step;

const UNIT: &str = "deploy/systemd/portcullis.service";
/// The highest exposure of `systemd-analyze security`, in tenths.
const EXPOSURE: &str = "20";

/// The unit is read without a complaint, and its exposure is low.
///
/// # Errors
/// When one of both is not so.
pub fn check() -> Result<()> {
    let folder = new_folder("systemd")?;
    // the program is not installed here
    let unit = std::fs::read_to_string(UNIT)?;
    let copy = folder.join("portcullis.service");
    let ours = "ExecStart=/usr/bin/portcullis\n";
    ensure!(unit.contains(ours), "{UNIT} does not start the program of the package");
    std::fs::write(&copy, unit.replace(ours, "ExecStart=/bin/true\n"))?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&copy);
    let said = verify.output()?;
    let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
    let about_it: Vec<&str> = complaints.lines().filter(|line| line.contains("portcullis")).collect();
    ensure!(said.status.success() && about_it.is_empty(), "systemd-analyze verify: {complaints}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE}"), UNIT]);
    step("systemd-analyze security", security)
}
