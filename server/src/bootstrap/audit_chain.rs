//! The writer and the verifier of the tamper-evident audit log.

use std::path::Path;
use std::sync::Arc;

use portcullis_adapters::audit_chain::checkpoint_file::CheckpointFile;
use portcullis_adapters::audit_chain::writer::{ChainWriter, WriterParts};
use portcullis_adapters::crypto::note_signer::{NotePublicKey, NoteSigner};
use portcullis_adapters::crypto::sealed_box::BoxPrivateKey;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::randomness::Randomness;

use super::keyring::{KeyedStore, open_used};
use super::secret_check::StoreSecrets;
use crate::config::{Settings, audit_key};

fn signer(key: &[u8; 32]) -> Result<NoteSigner, String> {
    NoteSigner::from_seed(key).map_err(|error| format!("AUDIT_SIGNING_KEY: {}", error.with_cause()))
}

/// The writer of an instance, where the settings switch it on.
///
/// # Errors
/// When a key is unusable.
pub fn writer(
    settings: &Settings,
    store: Arc<dyn AuditChainStore>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<ChainWriter>, String> {
    let keys = settings.secrets.audit_signing.as_ref().and_then(|ring| ring.0.first());
    let Some((chain, (_, key))) = settings.audit_chain.as_ref().zip(keys) else { return Ok(None) };
    Ok(Some(ChainWriter::new(WriterParts {
        store,
        verify_key: chain.verify_key,
        signer: signer(key)?,
        file: chain.checkpoint_file.clone().map(CheckpointFile),
        clock: clock.clone(),
    })))
}

/// The public keys that verify notes.
///
/// # Errors
/// When a key is unusable.
pub fn signers(settings: &Settings) -> Result<Vec<NotePublicKey>, String> {
    let ring = settings.secrets.audit_signing.iter().flat_map(|ring| &ring.0);
    ring.map(|(_, key)| Ok(signer(key)?.public())).collect()
}

/// The private halves of `AUDIT_VERIFY_KEY` in a file, one a line.
///
/// # Errors
/// When the file can't be read or has something else.
pub fn private_keys(path: &Path) -> Result<Vec<BoxPrivateKey>, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<BoxPrivateKey>> = lines.map(|line| audit_key(line).map(BoxPrivateKey::from_bytes)).collect();
    let what =
        || format!("{shown} has no private key. Fix: name the file that `portcullis keys generate --audit` wrote");
    keys.filter(|keys| !keys.is_empty()).ok_or_else(what)
}

/// The store of an existing database, beside servers that may be running.
///
/// # Errors
/// The problem, by the setting's name, with the fix.
pub async fn open_store(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Box<dyn KeyedStore>, String> {
    let secrets = StoreSecrets::of(settings, randomness)?;
    Ok(open_used(settings, &secrets).await?.1)
}
