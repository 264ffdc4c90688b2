//! The same answers as ICU4X: for every code point, and for random sequences of those with a mapping or decomposition.

use icu_normalizer::properties::{
    CanonicalCombiningClassMapBorrowed, CanonicalCompositionBorrowed, CanonicalDecompositionBorrowed, Decomposed,
};
use icu_normalizer::uts46::Uts46MapperBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointMapData;
use icu_properties::props::{BidiClass, GeneralCategory, JoiningType};
use idna_adapter::{
    Adapter, FIRST_BC_MASK, LAST_LTR_MASK, LAST_RTL_MASK, LEFT_OR_DUAL_JOINING_MASK, MIDDLE_LTR_MASK, MIDDLE_RTL_MASK,
    RIGHT_OR_DUAL_JOINING_MASK, RTL_MASK, nfc, nfkc,
};
use proptest::prelude::*;

/// Syllables, which are computed by arithmetic.
const KOREAN: std::ops::RangeInclusive<char> = '\u{ac00}'..='\u{d7a3}';

fn characters() -> impl Iterator<Item = char> {
    (0..0x0011_0000).filter_map(char::from_u32)
}

/// All four ways to normalise a text: ours, and ICU4X's.
fn ours(text: &str) -> [String; 4] {
    let adapter = Adapter::new();
    let mapped = adapter.map_normalize(text.chars()).collect();
    [nfc(text), nfkc(text), mapped, adapter.normalize_validate(text.chars()).collect()]
}

fn theirs(text: &str) -> [String; 4] {
    let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned();
    let nfkc = ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned();
    let mapper = Uts46MapperBorrowed::new();
    let mapped = mapper.map_normalize(text.chars()).collect();
    [nfc, nfkc, mapped, mapper.normalize_validate(text.chars()).collect()]
}

#[test]
fn every_character_alone_and_with_others() {
    for c in characters() {
        for text in [format!("{c}"), format!("A{c}\u{301}"), format!("{c}\u{323}{c}")] {
            assert_eq!(ours(&text), theirs(&text), "{text:?} {:x}", u32::from(c));
        }
    }
}

#[test]
fn every_character_is_what_it_is() {
    use BidiClass as Bidi;
    let (adapter, classes) = (Adapter::new(), CanonicalCombiningClassMapBorrowed::new());
    let (categories, directions, joins) = (
        CodePointMapData::<GeneralCategory>::new(),
        CodePointMapData::<BidiClass>::new(),
        CodePointMapData::<JoiningType>::new(),
    );
    let neutral = |of| {
        let neutrals = [
            Bidi::EuropeanSeparator,
            Bidi::CommonSeparator,
            Bidi::EuropeanTerminator,
            Bidi::OtherNeutral,
            Bidi::BoundaryNeutral,
            Bidi::NonspacingMark,
        ];
        neutrals.contains(&of)
    };
    for c in characters() {
        let code = u32::from(c);
        assert_eq!(adapter.is_virama(c), classes.get_u8(c) == 9, "{code:x}");
        let marks = [GeneralCategory::NonspacingMark, GeneralCategory::SpacingMark, GeneralCategory::EnclosingMark];
        assert_eq!(adapter.is_mark(c), marks.contains(&categories.get(c)), "{code:x}");

        let (ours, theirs) = (adapter.bidi_class(c), directions.get(c));
        let (rtl, an) = ([Bidi::RightToLeft, Bidi::ArabicLetter].contains(&theirs), theirs == Bidi::ArabicNumber);
        let (ltr, en) = (theirs == Bidi::LeftToRight, theirs == Bidi::EuropeanNumber);
        let expected = [
            (RTL_MASK, rtl || an),
            (FIRST_BC_MASK, ltr || rtl),
            (LAST_LTR_MASK, ltr || en),
            (LAST_RTL_MASK, rtl || en || an),
            (MIDDLE_LTR_MASK, ltr || en || neutral(theirs)),
            (MIDDLE_RTL_MASK, rtl || an || en || neutral(theirs)),
        ];
        for (at, (mask, expected)) in expected.into_iter().enumerate() {
            assert_eq!(mask.intersects(ours.to_mask()), expected, "mask {at} of {code:x}");
        }
        assert_eq!(ours.is_nonspacing_mark(), theirs == Bidi::NonspacingMark, "{code:x}");
        assert_eq!((ours.is_ltr(), ours.is_european_number(), ours.is_arabic_number()), (ltr, en, an), "{code:x}");

        let (ours, theirs) = (adapter.joining_type(c), joins.get(c));
        let either = |one| theirs == one || theirs == JoiningType::DualJoining;
        assert_eq!(ours.to_mask().intersects(LEFT_OR_DUAL_JOINING_MASK), either(JoiningType::LeftJoining), "{code:x}");
        assert_eq!(
            ours.to_mask().intersects(RIGHT_OR_DUAL_JOINING_MASK),
            either(JoiningType::RightJoining),
            "{code:x}"
        );
        assert_eq!(ours.is_transparent(), theirs == JoiningType::Transparent, "{code:x}");
    }
}

/// Characters that do something: they decompose, compose, are marks of a class, Korean, or not taken as they are.
fn active() -> Vec<char> {
    let (decomposition, classes) = (CanonicalDecompositionBorrowed::new(), CanonicalCombiningClassMapBorrowed::new());
    let mut active = Vec::new();
    for c in characters().filter(|c| !KOREAN.contains(c)) {
        match decomposition.decompose(c) {
            Decomposed::Default => {}
            Decomposed::Singleton(one) => active.extend([c, one]),
            Decomposed::Expansion(first, second) => active.extend([c, first, second]),
        }
        let text = c.to_string();
        let changed = theirs(&text).iter().any(|form| *form != text && *form != "\u{fffd}");
        if classes.get_u8(c) != 0 || changed {
            active.push(c);
        }
    }
    active.sort_unstable();
    active.dedup();
    active
}

#[test]
fn every_pair_composes_as_there() {
    let (decomposition, composition) = (CanonicalDecompositionBorrowed::new(), CanonicalCompositionBorrowed::new());
    let pairs = characters().filter_map(|c| match decomposition.decompose(c) {
        Decomposed::Expansion(first, second) if !KOREAN.contains(&c) => Some((first, second)),
        _ => None,
    });
    let (mut firsts, mut seconds): (Vec<char>, Vec<char>) = pairs.unzip();
    for either in [&mut firsts, &mut seconds] {
        either.sort_unstable();
        either.dedup();
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    let mut together = 0;
    for first in &firsts {
        for second in &seconds {
            let text = format!("{first}{second}");
            assert_eq!(nfc(&text), normalizer.normalize(&text), "{text:?}");
            together += usize::from(composition.compose(*first, *second).is_some());
        }
    }
    assert!(together > 900, "{together}");
}

#[test]
fn random_sequences_are_normalised_like_icu() {
    let active = active();
    let marks: Vec<char> =
        active.iter().copied().filter(|c| CanonicalCombiningClassMapBorrowed::new().get_u8(*c) != 0).collect();
    let character = prop_oneof![
        4 => proptest::sample::select(active),
        4 => proptest::sample::select(marks),
        1 => proptest::char::range('\u{1100}', '\u{11ff}'),
        1 => proptest::char::range('\u{ac00}', '\u{ac38}'),
        1 => any::<char>(),
        1 => proptest::char::range(' ', '~'),
    ];
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in proptest::collection::vec(character, 1..16))| {
        let text: String = text.into_iter().collect();
        prop_assert_eq!(ours(&text), theirs(&text));
        // what is normal stays as it is, and canonical equals meet
        let [nfc_, nfkc_, ..] = ours(&text);
        prop_assert_eq!(&nfc(&nfc_), &nfc_);
        prop_assert_eq!(&nfkc(&nfkc_), &nfkc_);
        prop_assert_eq!(nfc(&DecomposingNormalizerBorrowed::new_nfd().normalize(&text)), nfc_);
    });
}
