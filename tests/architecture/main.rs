//! The rules of docs/architecture.md, checked against the manifests and the sources.

mod circles;
mod references;
mod secrets;

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_core::model::country::Country;
use portcullis_server::http::assets::Asset;
use portcullis_server::http::endpoint::{Access, Endpoint};
use portcullis_server::http::routes::{
    admin_endpoints, development_endpoints, realm_endpoints, system_endpoints, testkit_endpoints,
};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The dependencies between our own packages, dev-dependencies aside: in this workspace, and in the browser's.
fn arrows() -> Vec<(String, String)> {
    ["Cargo.toml", "wasm/Cargo.toml"].into_iter().flat_map(arrows_of).collect()
}

fn arrows_of(manifest: &str) -> Vec<(String, String)> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest];
    let metadata: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
    let mut arrows = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let from = package["name"].as_str().unwrap().to_owned();
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            if to.starts_with("portcullis-") && dependency["kind"].is_null() {
                arrows.push((from.clone(), to.to_owned()));
            }
        }
    }
    arrows
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The endpoints of a build with default features.
fn default_endpoints() -> Vec<Endpoint> {
    [realm_endpoints(), admin_endpoints(), system_endpoints(), development_endpoints()].concat()
}

/// A source without the tests at its end.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

#[test]
fn arrows_point_inwards_only() {
    let allowed = [
        ("portcullis-adapters", "portcullis-core"),
        ("portcullis-testkit", "portcullis-core"),
        ("portcullis-server", "portcullis-core"),
        ("portcullis-wasm", "portcullis-core"),
        ("portcullis-server", "portcullis-adapters"),
        // under its feature `testkit` alone
        ("portcullis-server", "portcullis-testkit"),
        ("portcullis-xtask", "portcullis-test-services"),
    ];
    // who measures knows what is measured only as a process and a socket; its micro-benches are dev-dependencies
    let arrows = arrows();
    assert!(arrows.iter().any(|(from, _)| from == "portcullis-wasm"), "the browser build is not looked at");
    for (from, to) in arrows {
        assert!(to != "portcullis-bench", "{from} must not know {to}");
        assert!(to != "portcullis-fuzz", "{from} must not know {to}");
        let tests = ["portcullis-tests", "portcullis-fuzz"].contains(&from.as_str());
        let fine = tests || allowed.contains(&(from.as_str(), to.as_str()));
        assert!(fine, "{from} must not know {to}");
    }
}

/// The server is built from published crates: none is patched, and only our own have no registry as their source.
#[test]
fn the_server_uses_published_crates_unpatched() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    assert!(!read("Cargo.toml").contains("[patch"), "the server's workspace patches a crate");
    for package in read("Cargo.lock").split("[[package]]").skip(1) {
        let own = package.starts_with("\nname = \"portcullis-");
        assert_eq!(own, !package.contains("\nsource = \"registry+"), "{package}");
    }
}

#[test]
fn core_knows_no_technology() {
    let tree = cargo(&["tree", "--package", "portcullis-core", "--edges", "normal", "--prefix", "none"]);
    for foreign in ["tokio", "axum", "serde ", "serde_json", "rusqlite", "mongodb", "redis", "reqwest", "chrono"] {
        assert!(!tree.lines().any(|line| line.starts_with(foreign)), "core depends on {foreign}");
    }
}

#[test]
fn a_release_has_no_test_kit() {
    let tree = cargo(&["tree", "--package", "portcullis-server", "--edges", "normal", "--prefix", "none"]);
    for kit in ["mockall", "proptest", "proptest-state-machine", "insta"] {
        assert!(!tree.lines().any(|line| line.starts_with(kit)), "the server ships {kit}");
    }
}

/// The condition that everything of the test kit is compiled under.
const TESTKIT_FEATURE: &str = "feature = \"testkit\"";

/// A release is built with `-p portcullis-server` and default features: no feature of it, nor of core, that has to do
/// with tests is on in its tree, and no row of its tables leads to what a test controls.
#[test]
fn a_default_release_has_no_control_plane() {
    let tree = |more: &[&str]| {
        let usual = [
            "tree",
            "--package",
            "portcullis-server",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p} [{f}]",
        ];
        cargo(&[&usual[..], more].concat())
    };
    let switched_on = |tree: &str| -> Vec<String> {
        let ours = tree.lines().filter(|line| line.starts_with("portcullis-"));
        let features = ours.filter_map(|line| line.split_once('[')?.1.split_once(']'));
        features.flat_map(|(features, _)| features.split(',')).map(str::to_owned).collect()
    };
    let (without, with) = (switched_on(&tree(&[])), switched_on(&tree(&["--features", "testkit"])));
    for feature in ["mocks", "testkit"] {
        assert!(!without.iter().any(|on| on == feature), "a default release switches on {feature}");
        // and the same question finds it where it is
        assert!(with.iter().any(|on| on == feature), "{feature} is not looked for where it would be: {with:?}");
    }
    for row in default_endpoints() {
        assert!(!row.path.contains("__test__"), "{} is in every server", row.path);
    }
    // every line that names the kit's modules is behind the feature
    for (path, text) in sources("server/src") {
        let kit = path.components().any(|part| part.as_os_str().to_string_lossy().contains("testkit"));
        if kit || path.components().any(|part| part.as_os_str() == "test_control") {
            continue;
        }
        let lines: Vec<&str> = production(&text).lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let names = ["mod testkit", "mod test_control", "crate::testkit", "testkit::"];
            if names.iter().any(|name| line.contains(name)) && !line.trim_start().starts_with("//") {
                let before = lines[..at].iter().rev().take(3);
                let gated = before.chain([line]).any(|line| line.contains(TESTKIT_FEATURE));
                let row = path.ends_with("http/routes.rs") && line.contains("Endpoint::new(\"test_");
                assert!(gated || row, "{}: {line}", path.display());
            }
        }
    }
}

/// No code depends on the build profile: a debug build has exactly what a release of the same features has.
#[test]
fn the_build_profile_decides_nothing() {
    for folder in ["core/src", "adapters/src", "server/src", "wasm/src"] {
        for (path, text) in sources(folder) {
            assert!(!text.contains("debug_assertions"), "{} depends on the profile", path.display());
        }
    }
}

/// In a server that is no test kit nothing answers under `/__test__`, though this binary could be one.
#[tokio::test]
async fn only_a_test_kit_has_a_control_plane() {
    let server = portcullis_tests::TestServer::start().await;
    let api = server.realm("User1");
    let document = api.get("//openapi.json").await.expect(200).json();
    assert!(document["paths"].as_object().unwrap().keys().all(|path| !path.contains("__test__")));
    for row in testkit_endpoints() {
        for method in row.methods {
            let _ = api.json(method.clone(), &format!("/{}", row.path), &serde_json::json!({})).await.expect(404);
        }
    }
}

/// Invariant 1: a store never sees a personal value.
#[test]
fn no_store_port_takes_a_plain_personal_type() {
    let stores = [
        "user_store",
        "registration_store",
        "session_store",
        "one_time_token_store",
        "undo_store",
        "credential_store",
        "job_queue",
        "audit_log",
        "login_guard",
        "rate_limiter",
    ];
    let personal = ["Email", "PersonName", "Phone", "Profile", "Person", "Password", "&str", "String", "ClientAddress"];
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '&';
    for store in stores {
        let text = std::fs::read_to_string(root().join(format!("core/src/ports/{store}.rs"))).unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for line in code {
            // why a job is a dead letter is a sentence of ours, without anyone's data
            let line = line.replace("reason: &str", "");
            // where a walk over keys goes on: an id or a digest, as the store wrote it down
            let line = line.replace("after: Option<String>", "");
            for word in line.split(|c| !is_word(c)) {
                assert!(!personal.contains(&word), "{store} takes {word}: {line}");
            }
        }
    }
    // and the records they take hold sealed types only
    for record in ["user", "session", "one_time_token", "job", "event"] {
        let text = std::fs::read_to_string(root().join(format!("core/src/model/{record}.rs"))).unwrap();
        let text = text.split("/// A user's own data, open.").next().unwrap();
        for line in text.lines().filter(|line| line.trim_start().starts_with("pub ") && line.contains(": ")) {
            for plain in ["Email,", "PersonName,", "Phone,", "CountryCode,", "Country,"] {
                assert!(!line.trim_end().ends_with(&format!(": {plain}")), "{record}: {line}");
            }
        }
    }
}

#[test]
fn concrete_adapters_are_named_in_one_place() {
    for (path, text) in sources("server/src") {
        let text = production(&text);
        let names = [
            "sqlite::Sqlite",
            "mongodb::MongoDb",
            "SharedLimiter",
            "AesGcmCipher",
            "HmacDigest",
            "Argon2Pool",
            "JwtSigner",
            "SmtpMailer",
            "SystemClock",
        ];
        let bootstrap = path.components().any(|part| part.as_os_str() == "bootstrap");
        assert!(bootstrap || names.iter().all(|name| !text.contains(name)), "{} names an adapter", path.display());
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    for folder in ["core/src", "adapters/src", "server/src", "wasm/src"] {
        for (path, text) in sources(folder) {
            let reads = ["env::var(", "env::vars", "env::var_os"].iter().any(|read| production(&text).contains(read));
            assert!(!reads || path.ends_with("config/sources.rs"), "{} reads the environment", path.display());
        }
    }
}

#[test]
fn files_stay_short() {
    for folder in ["core/src", "adapters/src", "server/src", "wasm/src", "xtask/src", "bench/src"] {
        for (path, text) in sources(folder) {
            let tests = path.ends_with("tests.rs");
            let lines = production(&text).lines().count();
            assert!(tests || lines <= 400, "{} has {lines} lines", path.display());
            assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
        }
    }
}

/// No GET that anyone may send changes anything: what does needs a credential, or carries one in its query.
#[test]
fn no_get_without_credentials_changes_anything() {
    let harmless = [
        "reset_password_form",
        "undo_page",
        "health",
        "livez",
        "readyz",
        "jwks",
        "authorization_server",
        "security_contact",
        "change_password_page",
        "passkey_pages",
        "related_origins",
        "apple_apps",
        "android_apps",
        "start",
        "openapi",
        "docs",
        "redoc",
        "scalar",
        "problems",
        "problem",
        "asset",
        "mailbox",
        "demo",
        "demo_page",
        "demo_file",
    ];
    // the exceptions of docs/http-api.md: a page unless the client takes JSON alone, a token with its OTP, a mail asked for
    let exceptions = ["verify_page", "verify_otp_phone", "forget_password"];
    for row in default_endpoints().into_iter().filter(|row| row.methods.contains(&http::Method::GET)) {
        let named = harmless.contains(&row.id) || exceptions.contains(&row.id);
        assert!(
            named || row.access != Access::Public,
            "GET {} is open to anyone: say here why it is harmless",
            row.path
        );
    }
}

/// The demo's folder and the list of its files in the binary are the same.
#[test]
fn the_demo_is_in_the_binary_whole() {
    let mut there = Vec::new();
    let demo = root().join("web-demo");
    let mut folders = vec![demo.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                there.push(path.strip_prefix(&demo).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    // the readme is for people, the settings are made by the server for itself, the stamp is for `cargo xtask demo check`
    there.retain(|name| !["README.md", "settings.json", "pkg/SOURCES.txt"].contains(&name.as_str()));
    there.sort();
    let kept_as = |asset: &Asset| if asset.gzipped { format!("{}.gz", asset.name) } else { asset.name.to_owned() };
    let mut served: Vec<String> = portcullis_server::http::demo::ALL.iter().map(kept_as).collect();
    served.sort();
    assert_eq!(there, served);
}

/// The demo's list of countries is core's.
#[test]
fn the_demo_knows_the_countries_of_core() {
    let text = std::fs::read_to_string(root().join("web-demo/countries.js")).unwrap();
    let table = text.split('`').nth(1).unwrap();
    let listed: Vec<&str> = table.split_whitespace().collect();
    let known: Vec<String> =
        Country::all().map(|country| format!("{}{}", country.as_str(), country.dial_code())).collect();
    assert_eq!(listed, known);
}

/// In the demo no text becomes markup or code, one file talks to the server, and no token touches storage.
#[test]
fn the_demo_keeps_its_rules() {
    let all = portcullis_server::http::demo::ALL.iter();
    let ours = all.filter(|asset| asset.content_type.starts_with("text/javascript") && !asset.name.starts_with("pkg/"));
    for name in ours.map(|asset| asset.name) {
        let text = std::fs::read_to_string(root().join("web-demo").join(name)).unwrap();
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
            assert!(!text.contains(sink), "{name} has {sink}");
        }
        let talks =
            ["fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "EventSource"].iter().any(|way| text.contains(way));
        assert!(!talks || name == "api.js", "{name} talks to the server");
        let keeps = ["localStorage.", "sessionStorage.", "indexedDB.", "document.cookie"]
            .iter()
            .any(|store| text.contains(store));
        assert!(!keeps || name == "theme.js", "{name} keeps something");
        assert!(text.lines().count() <= 300, "{name} is long");
    }
}
