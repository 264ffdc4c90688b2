//! The tamper-evident audit log.

use std::path::PathBuf;

use portcullis_adapters::crypto::sealed_box::BoxPublicKey;

use crate::config::secrets::decode;
use crate::config::settings_reader::SettingsReader;
use crate::config::strength::GENERATE_AUDIT;

/// The settings of the chain, beside the key that signs.
#[derive(Debug, Clone)]
pub struct AuditChain {
    /// `AUDIT_VERIFY_KEY`: first keys are sealed to it.
    pub verify_key: BoxPublicKey,
    /// `AUDIT_CHECKPOINT_FILE`.
    pub checkpoint_file: Option<PathBuf>,
}

/// `AUDIT_VERIFY_KEY`, which needs `AUDIT_SIGNING_KEY`, and `AUDIT_CHECKPOINT_FILE`.
pub fn audit_chain(reader: &mut SettingsReader) -> Option<AuditChain> {
    let parse =
        |text: &str| decode(text).map(BoxPublicKey).ok_or_else(|| "is not URL-safe base64 of 32 bytes".to_owned());
    let verify_key = reader.parsed("AUDIT_VERIFY_KEY", GENERATE_AUDIT, parse);
    let file = reader.text("AUDIT_CHECKPOINT_FILE").map(|found| reader.working_dir.join(found.text));
    let (on, signs) = (!reader.is_missing("AUDIT_VERIFY_KEY"), !reader.is_missing("AUDIT_SIGNING_KEY"));
    if on != signs {
        let (name, other) =
            if on { ("AUDIT_VERIFY_KEY", "AUDIT_SIGNING_KEY") } else { ("AUDIT_SIGNING_KEY", "AUDIT_VERIFY_KEY") };
        reader.refuse(name, &format!("goes with {other}"), "set both, or none");
    }
    if file.is_some() && !on {
        reader.refuse("AUDIT_CHECKPOINT_FILE", "goes with AUDIT_VERIFY_KEY", "set both, or none");
    }
    verify_key.map(|verify_key| AuditChain { verify_key, checkpoint_file: file })
}
