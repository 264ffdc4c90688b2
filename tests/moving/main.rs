//! Moving between two embedded stores: everything arrives, a stop anywhere loses nothing, the proof sees what differs, and
//! what must not be moved is refused. `tests/deployment` moves to MongoDB and back.

mod command_line;
mod stops;

use std::path::Path;

use portcullis_adapters::data_migration::migration::{MoveError, Mover, Proof, Step};
use portcullis_adapters::data_migration::{Collection, MigratableStore};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_tests::filled::fill;

/// Enough for several batches.
const MANY: u64 = 1_700;

fn open(folder: &Path, name: &str) -> Sqlite {
    Sqlite::open(&folder.join(name)).expect("a store")
}

async fn moved(from: &dyn MigratableStore, to: &dyn MigratableStore) -> Result<Vec<Proof>, MoveError> {
    Mover { from, to, place: "here", told: &|_: Step| {} }.run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to, back) =
        (open(folder.path(), "from.db"), open(folder.path(), "to.db"), open(folder.path(), "back.db"));
    from.check_value_or_insert("email_salt", b"salt").await.unwrap();
    fill(&from, 0..MANY).await;
    let proofs = moved(&from, &to).await.unwrap();
    assert_eq!(proofs.len(), Collection::ALL.len());
    for proof in &proofs {
        assert_eq!(proof.from, proof.to);
        assert!(proof.from.count > 0, "{}: nothing was tried", proof.of.as_str());
    }
    let count = |of| proofs.iter().find(|proof| proof.of == of).unwrap().from.count;
    assert_eq!((count(Collection::Users), count(Collection::Audit)), (MANY, 2 * MANY));
    // and nothing is lost in the shape it has there
    assert_eq!(moved(&to, &back).await.unwrap().iter().map(|proof| proof.from).collect::<Vec<_>>(), tallies(&proofs));
}

fn tallies(proofs: &[Proof]) -> Vec<portcullis_adapters::data_migration::Tally> {
    proofs.iter().map(|proof| proof.from).collect()
}
