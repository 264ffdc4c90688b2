//! The Unicode properties that the `idna` crate needs, and NFC and NFKC, from tables of 11 KB gzip. It has the API of the
//! published `idna_adapter`, which is made to be replaced, and replaces it in this workspace, the browser build (`[patch]`).
//! `cargo xtask unicode` packs the tables from ICU4X, which the server uses; the tests compare every code point with it.

mod normal;
mod tables;

pub use normal::{nfc, nfkc};
use tables::{Bidi, Joining, Tables};

/// Joins to its left, or to both sides.
pub const LEFT_OR_DUAL_JOINING_MASK: JoiningTypeMask =
    JoiningTypeMask(bit(Joining::Left as u32) | bit(Joining::Dual as u32));

/// Joins to its right, or to both sides.
pub const RIGHT_OR_DUAL_JOINING_MASK: JoiningTypeMask =
    JoiningTypeMask(bit(Joining::Right as u32) | bit(Joining::Dual as u32));

/// The classes that make a domain a bidirectional one.
pub const RTL_MASK: BidiClassMask = BidiClassMask(bit(Bidi::Right as u32) | bit(Bidi::ArabicNumber as u32));

/// The classes allowed for the first character of a label in such a domain.
pub const FIRST_BC_MASK: BidiClassMask = BidiClassMask(bit(Bidi::Left as u32) | bit(Bidi::Right as u32));

/// The classes allowed for the last one, nonspacing marks aside, in a label from left to right.
pub const LAST_LTR_MASK: BidiClassMask = BidiClassMask(bit(Bidi::Left as u32) | bit(Bidi::EuropeanNumber as u32));

/// The classes allowed for the last one, nonspacing marks aside, in a label from right to left.
pub const LAST_RTL_MASK: BidiClassMask =
    BidiClassMask(bit(Bidi::Right as u32) | bit(Bidi::EuropeanNumber as u32) | bit(Bidi::ArabicNumber as u32));

/// The classes allowed for those between in a label from left to right.
pub const MIDDLE_LTR_MASK: BidiClassMask = BidiClassMask(
    bit(Bidi::Left as u32)
        | bit(Bidi::EuropeanNumber as u32)
        | bit(Bidi::Neutral as u32)
        | bit(Bidi::NonspacingMark as u32),
);

/// The classes allowed for those between in a label from right to left.
pub const MIDDLE_RTL_MASK: BidiClassMask = BidiClassMask(
    bit(Bidi::Right as u32)
        | bit(Bidi::ArabicNumber as u32)
        | bit(Bidi::EuropeanNumber as u32)
        | bit(Bidi::Neutral as u32)
        | bit(Bidi::NonspacingMark as u32),
);

const fn bit(place: u32) -> u32 {
    1 << place
}

/// The way in which a character joins its neighbours.
#[derive(Debug, Clone, Copy)]
pub struct JoiningType(Joining);

impl JoiningType {
    /// A mask of this one.
    #[must_use]
    pub const fn to_mask(self) -> JoiningTypeMask {
        JoiningTypeMask(bit(self.0 as u32))
    }

    /// Whether its neighbours join as if it were not there.
    #[must_use]
    pub fn is_transparent(self) -> bool {
        self.0 == Joining::Transparent
    }
}

/// Several ways of joining.
#[derive(Debug, Clone, Copy)]
pub struct JoiningTypeMask(u32);

impl JoiningTypeMask {
    /// Whether both have one in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The direction of a character, as far as domain names care.
#[derive(Debug, Clone, Copy)]
pub struct BidiClass(Bidi);

impl BidiClass {
    /// A mask of this one.
    #[must_use]
    pub const fn to_mask(self) -> BidiClassMask {
        BidiClassMask(bit(self.0 as u32))
    }

    /// From left to right.
    #[must_use]
    pub fn is_ltr(self) -> bool {
        self.0 == Bidi::Left
    }

    /// A mark that takes no space.
    #[must_use]
    pub fn is_nonspacing_mark(self) -> bool {
        self.0 == Bidi::NonspacingMark
    }

    /// A European digit.
    #[must_use]
    pub fn is_european_number(self) -> bool {
        self.0 == Bidi::EuropeanNumber
    }

    /// An Arabic digit.
    #[must_use]
    pub fn is_arabic_number(self) -> bool {
        self.0 == Bidi::ArabicNumber
    }
}

/// Several directions.
#[derive(Debug, Clone, Copy)]
pub struct BidiClassMask(u32);

impl BidiClassMask {
    /// Whether both have one in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What `idna` asks.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Adapter {}

impl Adapter {
    /// One; all are the same.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }

    /// Whether it is a virama: its combining class is 9.
    #[must_use]
    pub fn is_virama(&self, c: char) -> bool {
        Tables::get().kind(c).combining_class() == 9
    }

    /// Whether it is a mark of any kind.
    #[must_use]
    pub fn is_mark(&self, c: char) -> bool {
        Tables::get().kind(c).is_mark()
    }

    /// Its direction.
    #[must_use]
    pub fn bidi_class(&self, c: char) -> BidiClass {
        BidiClass(Tables::get().kind(c).bidi())
    }

    /// How it joins.
    #[must_use]
    pub fn joining_type(&self, c: char) -> JoiningType {
        JoiningType(Tables::get().kind(c).joining())
    }

    /// UTS 46: mapped, without what is ignored, U+FFFD for what is disallowed, in NFC.
    pub fn map_normalize<'delegate, I: Iterator<Item = char> + 'delegate>(
        &'delegate self,
        iter: I,
    ) -> impl Iterator<Item = char> + 'delegate {
        normal::uts46(iter, false).into_iter()
    }

    /// The same, but U+FFFD for what is ignored, too.
    pub fn normalize_validate<'delegate, I: Iterator<Item = char> + 'delegate>(
        &'delegate self,
        iter: I,
    ) -> impl Iterator<Item = char> + 'delegate {
        normal::uts46(iter, true).into_iter()
    }
}
