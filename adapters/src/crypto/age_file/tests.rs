//! Tests with a file of the program age, files of any length, and files that were changed or cut.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Bytes of plaintext in a chunk.
const CHUNK: usize = 64 * 1024;
/// Bytes of the tag after each chunk.
const TAG: usize = 16;

const PUBLIC: &str = "age1mv8d7k9trvcgl7nndjnsjwe5pd2u9cr7chm7pmj4fgpw2c5acy3qy07008";
const PRIVATE: &str = "# a comment\nAGE-SECRET-KEY-16NUJU9RGYFVAP8QC3YXN4HQARK8QZASRNLRN8E4SXX2KCELJ05GS5E3CWJ\n";
/// A file that version 1.1.1 of the program age has written.
const AGE_FILE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSA2bE9RcjR6bC9ra1RnM2dMTXJTZHY5b3hITUNYVS9JaS9nUWJ1Z21tT3cwCkQvbFV0RHdybk9qdHJ2MzJIdnBsVll2c3FjUXYyMU0rY2VKajZQM293aW8KLS0tIEo1eHlOOTZ6N21qRko5SWpOQ21EcVVyV3krQXNGc1hvQmovMHZWY3BWZnMKfqENaFr+tGEmSqn/quUte8byUIG9GjBBlHPvT6U2aH9mPnNAMCdiCWiGyN4AHA==";

fn identities() -> Identities {
    Identities::parse(PRIVATE).unwrap()
}

fn encrypted(text: &[u8], recipients: &[&str]) -> Vec<u8> {
    let recipients: Vec<Recipient> = recipients.iter().map(|recipient| Recipient::parse(recipient).unwrap()).collect();
    let mut file = Vec::new();
    assert_eq!(encrypt(text, &mut file, &recipients).unwrap(), text.len() as u64);
    file
}

fn decrypted(file: &[u8]) -> Result<Vec<u8>, AgeError> {
    let mut text = Vec::new();
    decrypt(Cursor::new(file), &mut text, &identities()).map(|_| text)
}

#[test]
fn a_file_that_age_has_written_decrypts() {
    assert_eq!(decrypted(&STANDARD.decode(AGE_FILE).unwrap()).unwrap(), b"written by age");
}

#[test]
fn files_of_any_length_round_trip() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let text: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        assert_eq!(decrypted(&encrypted(&text, &[PUBLIC])).unwrap(), text, "{length}");
    }
}

#[test]
fn only_the_recipients_can_decrypt() {
    let other = x25519::Identity::generate().to_public().to_string();
    assert_eq!(decrypted(&encrypted(b"text", &[&other, PUBLIC])).unwrap(), b"text");
    assert!(matches!(decrypted(&encrypted(b"text", &[&other])), Err(AgeError::NoMatch)));
}

#[test]
fn changed_and_cut_files_are_refused() {
    let text = vec![7; CHUNK + 100];
    let file = encrypted(&text, &[PUBLIC]);
    let header = file.len() - (CHUNK + 100 + 2 * TAG + 16);
    let samples = (0..header).chain([header, header + 17, header + CHUNK + 20, file.len() - 1]);
    for at in samples {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(decrypted(&changed).is_err(), "byte {at}");
    }
    for length in [0, 5, header, header + 16, header + 16 + CHUNK, header + 16 + CHUNK + TAG, file.len() - 1] {
        assert!(decrypted(&file[..length]).is_err(), "cut at {length}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(decrypted(&longer).is_err());
    // the two chunks swapped
    let (first, second) = file[header + 16..].split_at(CHUNK + TAG);
    assert!(decrypted(&[&file[..header + 16], second, first].concat()).is_err());
}

#[test]
fn texts_that_are_no_keys_are_refused() {
    for text in ["", "age1", &PUBLIC[..PUBLIC.len() - 1], &PUBLIC.replace("age1", "agf1"), "AGE-SECRET-KEY-1"] {
        assert!(Recipient::parse(text).is_err(), "{text}");
    }
    for text in ["", "# only a comment", PUBLIC, "AGE-SECRET-KEY-1\n"] {
        assert!(Identities::parse(text).is_err(), "{text}");
    }
}
