//! Nothing of a person in any file or log; nothing left of them afterwards.

use std::path::Path;

use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;

const MARKS: &[&str] =
    &["Xanthippe", "Zzyzxburg", "marked-address", "marked-new-address", "+4915112345678", "15112345678", "MarkedAgent"];

/// A mark as it could stand in a file.
fn spellings(mark: &str) -> Vec<Vec<u8>> {
    use std::fmt::Write as _;
    let hex = mark.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut all = vec![mark.to_owned(), mark.to_lowercase(), mark.to_uppercase(), hex.to_uppercase(), hex];
    // base64 at each of the three alignments, without the characters that neighbours share
    for text in [mark.to_owned(), mark.to_lowercase(), mark.to_uppercase()] {
        for shift in 0..3 {
            let padded = [vec![0; shift], text.clone().into_bytes()].concat();
            let encoded = base64(&padded);
            let from = (shift * 8).div_ceil(6);
            let until = (padded.len() * 8) / 6;
            all.push(encoded[from..until].to_owned());
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letter = |six: &[u8]| {
        let value = (0..6).fold(0, |value, at| value << 1 | six.get(at).copied().unwrap_or(0));
        char::from(LETTERS[usize::from(value)])
    };
    bits.chunks(6).map(letter).collect()
}

fn search(folder: &Path, when: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for mark in MARKS {
            for spelling in spellings(mark) {
                let found = bytes.windows(spelling.len()).any(|window| window == spelling);
                assert!(!found, "{mark} is in {} {when} as {}", path.display(), String::from_utf8_lossy(&spelling));
            }
        }
    }
}

#[test]
fn the_search_would_find_what_is_there() {
    assert_eq!(base64(b"Man"), "TWFu");
    assert_eq!(base64(b"Ma"), "TWE");
    let folder = tempfile::tempdir().unwrap();
    for text in ["..Xanthippe..".to_owned(), "xanthippe".to_owned(), base64(b"ab Xanthippe cd"), base64(b"a Xanthippe")]
    {
        std::fs::write(folder.path().join("file"), text).unwrap();
        assert!(std::panic::catch_unwind(|| search(folder.path(), "in a test")).is_err());
    }
}

#[tokio::test]
async fn no_file_has_anything_of_a_person_and_deletion_leaves_not_even_the_key() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let mut person = Person::named("Marked-Address@example.com");
    person.form["first_name"] = json!("Xanthippe");
    person.form["last_name"] = json!("Zzyzxburg");
    person.form["phone"] = json!("+4915112345678");
    person.form["country_code"] = json!("DE");
    let look = async |when: &str| search(&server.everything_kept().await, when);
    let _ = api.post("/create", &person.form).await.expect(201);
    look("after create").await;
    let token = portcullis_tests::api::token_of(&api.mail("mail_email_verify", &person.email).await);
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    let login = api.request(Method::POST, "/login").header("user-agent", "MarkedAgent/1.0");
    let login = api.send(login.form(&[("username", &person.email), ("password", &person.password)])).await.expect(200);
    let john = api.with_token(&login.member("access_token"));
    let new = json!({"email": "marked-new-address@example.com"});
    let _ = john.json(Method::PUT, "/update", &new).await.expect(200);
    let _ = api.mail("email_change_confirm", "marked-new-address@example.com").await;
    let sessions = john.get("/sessions").await.expect(200);
    assert!(sessions.text.contains("MarkedAgent/1.0"));
    look("in the middle").await;
    let _ = john.delete("/delete").await.expect(200);
    look("after delete").await;
    let _ = api.mail("account_deleted", &person.email).await;
    let kept = api.mailbox().await;
    assert_eq!(kept.len(), 1, "the mailbox forgot them: it has the notice of the deletion alone");
    let data = server.everything_kept().await;
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        // the log may have what came after
        if path.extension().is_none_or(|extension| extension != "db-wal") {
            let kept = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&kept).contains("argon2id"), "no row of a user is left");
        }
    }
    let wal = std::fs::metadata(data.join("portcullis.db-wal")).map_or(0, |wal| wal.len());
    assert!(wal < 64 * 1024, "the log was folded in, and has only what came after");
}
