//! The file that notes are exported to, one JSON object a line. It proves that the end of the log was cut only where an
//! attacker who can change the database can't change the file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
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
        // one write, so that the lines of several instances do not mix
        file.write_all(format!("{}\n", note_json(note)).as_bytes())?;
        file.sync_data()
    }
}

/// The notes of a file. A last line without its end, which a crash can leave, is left out.
///
/// # Errors
/// When the file can't be read, or a line is no note.
pub fn read(path: &Path) -> io::Result<Vec<SignedNote>> {
    let text = std::fs::read_to_string(path)?;
    let complete = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    let line = |(number, line): (usize, &str)| {
        let what = || io::Error::new(io::ErrorKind::InvalidData, format!("line {} is no note", number + 1));
        parse(line).ok_or_else(what)
    };
    complete.lines().enumerate().map(line).collect()
}
