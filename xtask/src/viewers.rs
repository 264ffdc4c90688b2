//! The scripts of others that the binary serves: each is exactly the published file, byte by byte.

use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::commands::step;
use crate::supply_chain::npm_component;

const FOLDER: &str = "server/assets/viewers";

/// A bundled file.
struct Bundle {
    package: &'static str,
    version: &'static str,
    licence: &'static str,
    /// Its path in the package.
    path: &'static str,
    /// Its name here, without `.gz`.
    file: &'static str,
    /// The SHA-256 of the file as it is served.
    sha256: &'static str,
    /// Text that is replaced: an address of another host.
    replaced: Option<(&'static str, &'static str)>,
}

const BUNDLES: [Bundle; 4] = [
    Bundle {
        package: "swagger-ui-dist",
        version: "5.35.0",
        licence: "Apache-2.0",
        path: "swagger-ui-bundle.js",
        file: "swagger-ui-bundle.js",
        sha256: "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
        replaced: None,
    },
    Bundle {
        package: "swagger-ui-dist",
        version: "5.35.0",
        licence: "Apache-2.0",
        path: "swagger-ui.css",
        file: "swagger-ui.css",
        sha256: "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
        replaced: None,
    },
    Bundle {
        package: "redoc",
        version: "2.5.4",
        licence: "MIT",
        path: "bundles/redoc.standalone.js",
        file: "redoc.standalone.js",
        sha256: "e3d4361ba4ecdba1fad6ff3c627ef1e2563d78c02fbadb8e38572accac6a2acc",
        replaced: Some(("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,")),
    },
    Bundle {
        package: "@scalar/api-reference",
        version: "1.46.4",
        licence: "MIT",
        path: "dist/browser/standalone.js",
        file: "scalar.standalone.js",
        sha256: "81b8d2bdab4a42ab81465386441b9a0f928b68631364360f00e8cce620cc1efb",
        replaced: None,
    },
];

/// Every bundled file has its digest, and every compressed file in the folder is one of them.
///
/// # Errors
/// When one differs.
pub fn check() -> Result<()> {
    println!("==> the bundled scripts have their digests");
    for bundle in &BUNDLES {
        let digest = sha256(&served(bundle)?);
        if digest != bundle.sha256 {
            bail!("{FOLDER}/{}.gz has the SHA-256 {digest}, not {}", bundle.file, bundle.sha256);
        }
    }
    for entry in std::fs::read_dir(FOLDER)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let bundle = name.strip_suffix(".gz");
        if bundle.is_some_and(|name| BUNDLES.iter().all(|bundle| bundle.file != name)) {
            bail!("{FOLDER}/{name} has no digest in xtask/src/viewers.rs");
        }
    }
    Ok(())
}

/// The same, and the files are those of the published packages.
///
/// # Errors
/// When one differs, or the packages can't be had.
pub fn compare() -> Result<()> {
    check()?;
    let folder = std::env::current_dir()?.join("target/viewers");
    std::fs::create_dir_all(&folder)?;
    for bundle in &BUNDLES {
        let mut download = Command::new("npm");
        let package = format!("{}@{}", bundle.package, bundle.version);
        download.args(["pack", "--silent", &package]).current_dir(&folder);
        step(&format!("download {package}"), download)?;
        let archive = format!("{}-{}.tgz", bundle.package.trim_start_matches('@').replace('/', "-"), bundle.version);
        let path = format!("package/{}", bundle.path);
        let output = Command::new("tar").args(["xOzf", &archive, &path]).current_dir(&folder).output()?;
        let published = match bundle.replaced {
            None => output.stdout,
            Some((from, to)) => String::from_utf8(output.stdout)?.replace(from, to).into_bytes(),
        };
        if sha256(&published) != bundle.sha256 {
            bail!("{} is not {path} of {package}", bundle.file);
        }
    }
    println!("==> the bundled scripts are those of their packages");
    Ok(())
}

/// The bundled files as components of the bill of materials.
pub fn components() -> Vec<Value> {
    let component = |bundle: &Bundle| npm_component(bundle.package, bundle.version, bundle.licence, bundle.sha256);
    BUNDLES.iter().map(component).collect()
}

fn served(bundle: &Bundle) -> Result<Vec<u8>> {
    let path = Path::new(FOLDER).join(format!("{}.gz", bundle.file));
    let packed = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let mut bytes = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
