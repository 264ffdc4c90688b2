//! The ways into an account beside its password, as its owner reads them when the password is reset: a thief may have added one.

use crate::model::factor::FactorMethod;
use crate::model::time::Timestamp;

/// The kind of a listed factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedKind {
    /// A second factor.
    Factor(FactorMethod),
    /// A remembered device.
    Device,
}

impl ListedKind {
    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Factor(method) => method.as_str(),
            Self::Device => "device",
        }
    }
}

/// A second factor or a remembered device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFactor {
    /// Its kind.
    pub kind: ListedKind,
    /// The name of a passkey, or the user agent of a device.
    pub name: Option<String>,
    /// Since when. Of SMS it is not known.
    pub since: Option<Timestamp>,
    /// When a passkey or device was last used.
    pub last_used_at: Option<Timestamp>,
}
