//! The demo's copy of the npm package. It is kept in the repository, so that the server builds with nothing but Rust and
//! has its whole demo; a stamp says of which sources it is, so that it cannot quietly be of older ones.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

const BUILT: &str = "target/npm/package";
const KEPT: &str = "web-demo/pkg";
const STAMP: &str = "web-demo/pkg/SOURCES.txt";
const FOLDER: &str = "target/web-demo";
/// The parts of the package that a browser needs, without those for Node, workers and type checkers.
const PARTS: [&str; 5] = ["api", "glue", "load/web.js", "wasm", "web"];
/// The sources from which the package is built.
const SOURCES: [&str; 11] = [
    "core/Cargo.toml",
    "core/src/model",
    "wasm/Cargo.lock",
    "wasm/Cargo.toml",
    "wasm/idna_adapter/Cargo.toml",
    "wasm/idna_adapter/src",
    "wasm/npm/api",
    "wasm/npm/load/web.js",
    "wasm/npm/package.json",
    "wasm/npm/web",
    "wasm/src",
];

/// Takes the built package into `web-demo/pkg`, its modules gzipped, and stamps it.
///
/// # Errors
/// When there is none.
pub fn pack() -> Result<()> {
    if Path::new(KEPT).exists() {
        fs::remove_dir_all(KEPT)?;
    }
    for part in PARTS {
        let files = files(&Path::new(BUILT).join(part)).context("the package is not built: cargo xtask wasm")?;
        for file in files {
            let name = file.strip_prefix(BUILT)?;
            let (kept, bytes) = if name.extension().is_some_and(|extension| extension == "wasm") {
                (format!("{KEPT}/{}.gz", name.display()), piped("gzip", &["-9n"], &fs::read(&file)?)?)
            } else {
                (format!("{KEPT}/{}", name.display()), fs::read(&file)?)
            };
            write(Path::new(&kept), &bytes)?;
        }
    }
    write(Path::new(STAMP), stamp()?.as_bytes())?;
    println!("==> {KEPT} is of the sources as they are");
    folder()
}

/// The copy is of the sources as they are.
///
/// # Errors
/// When it is of others.
pub fn check() -> Result<()> {
    if fs::read_to_string(STAMP).unwrap_or_default() == stamp()? {
        return Ok(());
    }
    bail!("{KEPT} is of other sources: cargo xtask demo renews it")
}

/// The demo as any host of static files may have it, nothing packed: `target/web-demo`.
fn folder() -> Result<()> {
    if Path::new(FOLDER).exists() {
        fs::remove_dir_all(FOLDER)?;
    }
    for file in files(Path::new("web-demo"))? {
        let there = Path::new(FOLDER).join(file.strip_prefix("web-demo")?);
        if there.extension().is_some_and(|extension| extension == "gz") {
            write(&there.with_extension(""), &piped("gzip", &["-dc"], &fs::read(&file)?)?)?;
        } else {
            write(&there, &fs::read(&file)?)?;
        }
    }
    println!("==> {FOLDER} can be put on any host of static files");
    Ok(())
}

/// A digest of the sources; of Rust without comments and tests, which change nothing in a browser.
fn stamp() -> Result<String> {
    let mut all = Vec::new();
    for source in SOURCES {
        for file in files(Path::new(source))? {
            all.extend_from_slice(format!("{}\n", file.display()).as_bytes());
            let bytes = fs::read(&file)?;
            if file.extension().is_some_and(|extension| extension == "rs") {
                let text = String::from_utf8(bytes).with_context(|| file.display().to_string())?;
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                all.extend(lines.flat_map(|line| format!("{line}\n").into_bytes()));
            } else {
                all.extend_from_slice(&bytes);
            }
        }
    }
    let digest = String::from_utf8(piped("sha256sum", &[], &all)?)?;
    Ok(format!("sha256 {}\n", digest.split_whitespace().next().unwrap_or_default()))
}

/// A file, or all files of a folder in an order that is the same everywhere.
fn files(at: &Path) -> Result<Vec<PathBuf>> {
    if at.is_file() {
        return Ok(vec![at.to_path_buf()]);
    }
    let entries = fs::read_dir(at).with_context(|| at.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let nested = paths.iter().map(|path| files(path)).collect::<Result<Vec<_>>>()?;
    Ok(nested.concat())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Bytes through a program of the system.
fn piped(program: &str, arguments: &[&str], bytes: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(program.to_owned())?;
    let mut input = child.stdin.take().context("no input")?;
    let bytes = bytes.to_vec();
    // beside the reading: a full pipe on either side must not stop the other
    let writing = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writing.join().map_err(|_| anyhow::anyhow!("{program} was not fed"))??;
    if output.status.success() { Ok(output.stdout) } else { bail!("{program} failed") }
}
