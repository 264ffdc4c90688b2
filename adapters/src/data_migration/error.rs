//! Why a migration stops.

use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::error::PortError;

use crate::data_migration::canonical_hash::CollectionHash;

/// One of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The store that is read.
    Source,
    /// The store that is filled.
    Target,
}

impl Side {
    /// The option of the command line that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "--from",
            Self::Target => "--to",
        }
    }

    /// Makes an error of this store's error.
    pub(super) fn failed(self) -> impl Fn(PortError) -> MigrationError {
        move |error| MigrationError::Store { side: self, error }
    }
}

/// Why a migration stopped. Contains no password.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A store failed.
    #[error("{}: {error}: {}. Fix: see that it can be reached, then call the same again: it goes on where it stopped", side.as_str(), error.source)]
    Store {
        /// The store that failed.
        side: Side,
        /// Its error.
        error: PortError,
    },
    /// The target has data already.
    #[error("--to: it holds data already ({count} in {}). Fix: name an empty database, or empty that one", collection.as_str())]
    TargetNotEmpty {
        /// The first collection that is not empty.
        collection: Collection,
        /// How many records it has.
        count: u64,
    },
    /// The target is half filled from another source.
    #[error(
        "--to: it is the target of an unfinished migration from {from}. Fix: finish that one, or call this with --again to empty the target first"
    )]
    OtherSource {
        /// The other source.
        from: String,
    },
    /// The source is half filled itself.
    #[error(
        "--from: it is the target of an unfinished migration from {from}, so that something may be missing in it. Fix: finish that one first"
    )]
    SourceUnfinished {
        /// The source of the unfinished migration.
        from: String,
    },
    /// The stores differ after the copy.
    #[error("the comparison failed: {}. Fix: see that no server uses either database, then call the same with --again", describe(.0))]
    Differs(Vec<Comparison>),
}

fn describe(differences: &[Comparison]) -> String {
    let one = |comparison: &Comparison| {
        let Comparison { collection, from, to } = comparison;
        let (count, there) = (from.count, to.count);
        format!("{} has {count} ({}) here and {there} ({}) there", collection.as_str(), from.short(), to.short())
    };
    differences.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A collection, read from both stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The collection.
    pub collection: Collection,
    /// The hash of the source's records.
    pub from: CollectionHash,
    /// The hash of the target's records.
    pub to: CollectionHash,
}
