//! Tests of writer and verifier over the fake store, also with a failure of each of its calls.

use std::time::Duration;

use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::NoteKind;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::ChainId;
use portcullis_core::model::stored_record::StoredEvent;
use portcullis_core::ports::audit_chain_store::AuditChainStore as _;
use portcullis_core::ports::audit_log::AuditLog as _;
use portcullis_testkit::faults::{Script, When};
use portcullis_testkit::samples::{NOW, realm, user_id};
use portcullis_testkit::world::TestWorld;
use zeroize::Zeroizing;

use super::chain_key::{ChainKey, Tagged};
use super::checkpoint_file::{CheckpointFile, read};
use super::finding::{FindingKind, Report};
use super::verifier::Verifier;
use super::writer::{ChainWriter, WriterParts};
use crate::crypto::note_signer::NoteSigner;
use crate::crypto::sealed_box::BoxPrivateKey;

struct Keys {
    verify: [BoxPrivateKey; 1],
    seed: [u8; 32],
}

impl Keys {
    fn new() -> Self {
        Self { verify: [BoxPrivateKey::generate().unwrap()], seed: [7; 32] }
    }

    fn writer(&self, world: &TestWorld, file: Option<CheckpointFile>) -> ChainWriter {
        ChainWriter::new(WriterParts {
            store: world.audit_chains.clone(),
            verify_key: self.verify[0].public().unwrap(),
            signer: NoteSigner::from_seed(&self.seed).unwrap(),
            file,
            clock: world.clock.clone(),
        })
    }

    async fn verify(&self, world: &TestWorld) -> Report {
        let signers = [NoteSigner::from_seed(&self.seed).unwrap().public()];
        let verifier = Verifier { store: &*world.audit_chains, keys: &self.verify, signers: &signers, exported: &[] };
        verifier.verify().await.unwrap()
    }
}

fn record(world: &TestWorld, n: u64) {
    for number in 0..n {
        let (at, user) = (NOW + Duration::from_secs(number), Some(user_id(number)));
        let kind = EventKind::LoggedIn;
        world.audit.record(Event {
            at,
            realm: realm("User1"),
            kind,
            user,
            session: None,
            operator: None,
            detail: None,
        });
    }
}

#[tokio::test]
async fn numbered_events_of_several_runs_verify() {
    let (world, keys) = (TestWorld::new(1), Keys::new());
    for run in 1..=3 {
        let mut writer = keys.writer(&world, None);
        record(&world, 250);
        assert_eq!(writer.link_pending().await.unwrap(), 250);
        writer.checkpoint().await.unwrap();
        record(&world, 1);
        assert_eq!(writer.link_pending().await.unwrap(), 1);
        let report = keys.verify(&world).await;
        assert_eq!((report.chains, report.numbered, report.unnumbered), (run, run * 251, 0));
        assert_eq!(report.findings, Vec::new());
    }
    assert_eq!(Keys::new().verify(&world).await.findings[0].kind, FindingKind::Note, "another key opens no chain");
}

#[tokio::test]
async fn the_log_verifies_after_a_failure_of_any_store_call() {
    for when in [When::Before, When::After] {
        for nth in 1..=8 {
            let (world, keys) = (TestWorld::new(1), Keys::new());
            record(&world, 3);
            let mut writer = keys.writer(&world, None);
            world.faults.play(Script::next().port("audit_chain_store").nth(nth).breaks(when));
            let mut failed = 0;
            for _ in 0..4 {
                record(&world, 2);
                failed += u32::from(writer.link_pending().await.is_err());
                failed += u32::from(writer.checkpoint().await.is_err());
            }
            assert_eq!(failed, 1, "call {nth}, {when:?}");
            let report = keys.verify(&world).await;
            assert_eq!((report.numbered, report.unnumbered), (11, 0), "call {nth}, {when:?}");
            assert_eq!(report.findings, Vec::new(), "call {nth}, {when:?}");
        }
    }
}

#[tokio::test]
async fn a_file_in_a_missing_folder_later_gets_each_start_and_the_newest_checkpoint() {
    let (world, keys, folder) = (TestWorld::new(1), Keys::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("missing").join("checkpoints.jsonl");
    let mut writer = keys.writer(&world, Some(CheckpointFile(path.clone())));
    for _ in 0..2 {
        record(&world, 2);
        writer.link_pending().await.unwrap();
        writer.checkpoint().await.unwrap();
    }
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    writer.checkpoint().await.unwrap();
    let kinds: Vec<NoteKind> = read(&path).unwrap().iter().map(|note| note.kind).collect();
    assert_eq!(kinds, [NoteKind::Start, NoteKind::Checkpoint]);
    assert!(read(&path).unwrap()[1].text.contains("\"number\":4"));
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"chain\":\"chn");
    std::fs::write(&path, &text).unwrap();
    assert_eq!(read(&path).unwrap().len(), 2, "a truncated last line is skipped");
    std::fs::write(&path, text.replace("chn_", "x")).unwrap();
    assert_eq!(read(&path).unwrap_err().to_string(), "no line of it is a note");
}

#[tokio::test]
async fn a_start_note_has_the_ends_of_earlier_chains() {
    let (world, keys) = (TestWorld::new(1), Keys::new());
    for _ in 0..3 {
        record(&world, 2);
        keys.writer(&world, None).link_pending().await.unwrap();
    }
    let notes = world.audit_chains.notes().await.unwrap();
    let mut ends: Vec<usize> = notes.iter().map(|note| note.text.matches("\"number\":2").count()).collect();
    ends.sort_unstable();
    assert_eq!(ends, [0, 1, 1], "each end is in one note");
}

/// Prints the time of one link: `cargo test --release -p portcullis-adapters --lib cost_of -- --nocapture`.
#[test]
fn the_cost_of_a_link_is_printed() {
    let event = Event {
        at: NOW,
        realm: realm("User1"),
        kind: EventKind::LoggedIn,
        user: Some(user_id(1)),
        session: None,
        operator: None,
        detail: None,
    };
    let event = StoredEvent { id: Some([7; 16]), ..StoredEvent::of(&event) };
    let mut key = ChainKey::first(ChainId::from_bytes([1; 16]), Zeroizing::new([2; 32]));
    let tagged = Tagged { position: AuditPosition::from_bytes([3; 12]), event: Some(&event), genuine: true };
    let (count, started) = (10_000_u32, std::time::Instant::now());
    let mut head = [0; 32];
    for _ in 0..count {
        head = super::chain_key::next_head(&head, &key.link(tagged).tag);
        key.step();
    }
    println!("{:?} an event", started.elapsed() / count);
    assert_eq!(key.number(), u64::from(count) + 1);
    assert_ne!(head, [0; 32]);
}
