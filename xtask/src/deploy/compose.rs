//! `deploy/compose.yaml` with every combination of its profiles, on the files that `deploy/init` makes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{COMPOSE, new_folder, tool};

const PROFILES: [&str; 4] = ["mongo", "redis", "mail", "observability"];
/// Services of each profile.
const SERVICES: [(&str, &[&str]); 4] = [
    ("mongo", &["mongo1", "mongo2", "mongo3", "mongo-init"]),
    ("redis", &["redis"]),
    ("mail", &["mail"]),
    ("observability", &["prometheus", "grafana", "traces"]),
];

/// Checks all combinations, and that nothing is accepted before `deploy/init` has run.
///
/// # Errors
/// When Docker Compose refuses one, or a service is missing or too many.
pub fn check() -> Result<()> {
    let empty = new_folder("compose/empty")?;
    ensure!(config(&empty, &[])?.is_none(), "compose.yaml is accepted without the secrets of deploy/init");
    for number in 0..1_usize << PROFILES.len() {
        let chosen: Vec<&str> =
            PROFILES.iter().enumerate().filter(|(bit, _)| number >> bit & 1 == 1).map(|(_, name)| *name).collect();
        let folder = new_folder(&format!("compose/{number}"))?;
        let mut init = Command::new("deploy/init");
        init.args(["--url", "https://auth.example.com", "--folder"]).arg(&folder).args(&chosen);
        let made = init.output().context("deploy/init could not be started")?;
        ensure!(made.status.success(), "deploy/init {chosen:?}: {}", String::from_utf8_lossy(&made.stderr));
        let config = config(&folder, &chosen)?.with_context(|| format!("compose.yaml with {chosen:?} is refused"))?;
        let found = config["services"].as_object().context("services")?;
        let expected = SERVICES.iter().filter(|(profile, _)| chosen.contains(profile)).flat_map(|(_, names)| *names);
        for name in expected.clone().chain([&"portcullis"]) {
            ensure!(found.contains_key(*name), "{chosen:?}: {name} is missing");
        }
        ensure!(found.len() == expected.count() + 1, "{chosen:?}: {:?}", found.keys());
    }
    println!("==> compose.yaml is accepted with all {} combinations of its profiles", 1 << PROFILES.len());
    Ok(())
}

/// The resolved configuration; `None` where it is refused.
fn config(folder: &Path, profiles: &[&str]) -> Result<Option<Value>> {
    let mut compose = tool(COMPOSE, "docker-compose")?;
    compose.args(["--file", "deploy/compose.yaml", "--project-directory"]).arg(folder);
    compose.args(["config", "--format", "json"]).env("COMPOSE_PROFILES", profiles.join(","));
    let output = compose.output().context("docker-compose could not be started")?;
    if !output.status.success() {
        println!("==> docker compose config {profiles:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}
