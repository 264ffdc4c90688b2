//! Copies of sent messages, for the development mailbox.

use crate::model::ids::{JobId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Sealed, WrappedKey};
use crate::model::time::Timestamp;

/// A sealed copy of one message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredMessage {
    /// The realm.
    pub realm: Realm,
    /// The account or registration it is about.
    pub subject: UserId,
    /// The job that sent it. Its id is the associated data of the seal.
    pub job: JobId,
    /// Which message of that job.
    pub part: u32,
    /// The data key of this copy, wrapped under the ring.
    pub key: WrappedKey,
    /// The message; the format of the plain text is the mailbox's.
    pub message: Sealed,
    /// When it was sent.
    pub at: Timestamp,
}
