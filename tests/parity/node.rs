//! The package in Node: cases go in as lines of JSON, verdicts come out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether `cargo xtask wasm` has been here.
pub fn is_built() -> bool {
    root().join("target/npm/package/wasm/strength.wasm").exists()
}

/// The package's verdicts, in the order of the cases.
pub fn evaluate(cases: &[Value]) -> Vec<Value> {
    let mut node = Command::new("node");
    node.arg("test/evaluate.mjs").arg("../../target/npm/package").current_dir(root().join("wasm/npm"));
    let mut child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node is needed");
    let mut input = child.stdin.take().unwrap();
    let lines: Vec<String> = cases.iter().map(ToString::to_string).collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(input, "{line}").unwrap();
        }
    });
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers = answers.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    answers
}
