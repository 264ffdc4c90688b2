//! The commands for images and packages: `healthcheck`, `completions` and `man`.

use portcullis_tests::process::{Process, call};

pub async fn healthcheck_says_whether_the_server_of_this_machine_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path(), &[]);
    // it must not need the secrets of the server
    let elsewhere = tempfile::tempdir().unwrap();
    let at =
        |port: u16| vec![("ENVIRONMENT".to_owned(), "production".to_owned()), ("PORT".to_owned(), port.to_string())];
    for arguments in [&["healthcheck"][..], &["healthcheck", "--live"]] {
        let (code, _, error) = call(elsewhere.path(), &at(server.address.port()), arguments);
        assert_eq!(code, 0, "{error}");
    }
    let port = portcullis_test_services::process::free_port().unwrap();
    let (code, _, error) = call(elsewhere.path(), &at(port), &["healthcheck"]);
    assert!(code == 1 && error.contains(&format!("http://127.0.0.1:{port}/readyz")), "{error}");
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none(), "it has written something");
}

pub async fn shells_and_manuals_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, error) = call(folder.path(), &[], &["completions", shell]);
        assert_eq!(code, 0, "{error}");
        for word in ["healthcheck", "dead-letters", "rewrap", "trusted-proxies"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    let (code, _, error) = call(folder.path(), &[], &["man", "--folder", "man1"]);
    assert_eq!(code, 0, "{error}");
    for page in ["portcullis.1", "portcullis-serve.1", "portcullis-keys-rewrap.1"] {
        let text = std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".TH portcullis"), "{page}");
    }
    let (code, _, _) = call(folder.path(), &[], &["completions", "tcl"]);
    assert_eq!(code, 2);
}
