//! The file that notes are exported to, one JSON object a line. It proves that the end of the log was cut only where an
//! attacker who can change the database can't change the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::model::audit_chain::{NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;
use serde_json::{Value, json};

/// A note as a line of JSON.
#[must_use]
pub fn note_json(note: &SignedNote) -> Value {
    json!({
        "chain": note.chain.to_string(),
        "kind": note.kind.as_str(),
        "text": note.text,
        "signature": STANDARD.encode(&note.signature),
    })
}

fn parse(line: &str) -> Option<SignedNote> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some(SignedNote {
        chain: ChainId::parse(text("chain")?)?,
        kind: NoteKind::parse(text("kind")?)?,
        text: text("text")?.to_owned(),
        signature: STANDARD.decode(text("signature")?).ok()?,
    })
}

/// The file.
#[derive(Debug, Clone)]
pub struct CheckpointFile(pub PathBuf);

impl CheckpointFile {
    /// Appends a note and waits until it is on the disk.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn append(&self, note: &SignedNote) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)?;
        let separator = if self.ends_within_a_line() { "\n" } else { "" };
        // one write, so that the lines of several instances do not mix
        file.write_all(format!("{separator}{}\n", note_json(note)).as_bytes())?;
        file.sync_data()
    }

    /// Whether a crash has cut the last line. `false` where the file can't be read.
    fn ends_within_a_line(&self) -> bool {
        let last = || -> io::Result<u8> {
            let (mut file, mut last) = (File::open(&self.0)?, [0]);
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            Ok(last[0])
        };
        last().is_ok_and(|last| last != b'\n')
    }
}

/// The notes of a file. A line that a crash has cut is left out: an attacker who can change the file can remove a
/// line as well.
///
/// # Errors
/// When the file can't be read, or has lines and no note.
pub fn read(path: &Path) -> io::Result<Vec<SignedNote>> {
    let text = std::fs::read_to_string(path)?;
    let notes: Vec<SignedNote> = text.lines().filter_map(parse).collect();
    if notes.is_empty() && !text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no line of it is a note"));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_crash_has_cut_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = CheckpointFile(folder.path().join("checkpoints"));
        let note = |n| SignedNote {
            chain: ChainId::from_bytes([n; 16]),
            kind: NoteKind::Checkpoint,
            text: "text".to_owned(),
            signature: vec![n],
        };
        file.append(&note(1)).unwrap();
        let whole = std::fs::read_to_string(&file.0).unwrap();
        std::fs::write(&file.0, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(read(&file.0).unwrap(), [note(1)]);
        file.append(&note(2)).unwrap();
        assert_eq!(read(&file.0).unwrap(), [note(1), note(2)]);
        std::fs::write(&file.0, "a page of something else\n").unwrap();
        assert!(read(&file.0).is_err());
    }
}
