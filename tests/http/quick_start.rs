//! The quick start of `README.md`, run as it is written.

use std::process::Command;

use portcullis_tests::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_of_the_readme_ends_with_a_profile() {
    let server = TestServer::start().await;
    let readme = include_str!("../../README.md");
    let script =
        readme.split("```sh\n").find(|block| block.starts_with("URL=")).and_then(|block| block.split("```").next());
    let script = script.unwrap().replace("http://127.0.0.1:8000", &format!("http://{}", server.address()));
    let output =
        tokio::task::spawn_blocking(move || Command::new("sh").args(["-euc", &format!("CODE=\n{script}")]).output());
    let output = output.await.unwrap().unwrap();
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert!(
        shown.contains("\"email\":\"john.doe@example.com\"") && shown.contains("\"is_email_verified\":true"),
        "{shown}"
    );
}
