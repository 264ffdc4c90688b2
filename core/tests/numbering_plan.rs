//! Countries, calling codes, regions and national numbers are those of libphonenumber's metadata.
//! `core/examples/numbering_plan.rs` prints the tables from it.

#![expect(clippy::unwrap_used, reason = "a number that does not parse fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use portcullis_core::model::country::{Country, CountryCode};
use portcullis_core::model::phone::{Phone, PhoneError, PhoneValidation};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rlibphonenumber::{
    PHONE_NUMBER_UTIL as LIBRARY, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region,
    get_national_significant_number_owned,
};

const TYPES: [PhoneNumberType; 8] = [
    PhoneNumberType::FixedLine,
    PhoneNumberType::Mobile,
    PhoneNumberType::TollFree,
    PhoneNumberType::PremiumRate,
    PhoneNumberType::SharedCost,
    PhoneNumberType::VoIP,
    PhoneNumberType::PersonalNumber,
    PhoneNumberType::UAN,
];

/// Texts that the patterns of the library read otherwise than lengths and trunk prefixes: a mobile number of Argentina with
/// the 15 in its middle, free numbers of two countries, and Canada's seven digits for calls within the country.
const DIFFERENT: [&str; 7] = [
    "AR 011 15-2345-6789",
    "BY 8011234567",
    "CA +1 310-1234",
    "CA 310-1234",
    "CA 3101234",
    "CO 01-800-1234567",
    "CO 01-900-1234567",
];

fn name(region: Region) -> String {
    format!("{region:?}")
}

fn regions() -> BTreeMap<String, i32> {
    let dial = |region| LIBRARY.get_country_code_for_region(region).unwrap();
    LIBRARY.get_supported_regions().map(|region| (name(region), dial(region))).collect()
}

fn examples(region: Region) -> impl Iterator<Item = PhoneNumber> {
    TYPES.into_iter().filter_map(move |kind| LIBRARY.get_example_number_for_type_and_region(region, kind).ok())
}

fn parse(number: &str, code: &str) -> Result<Phone, PhoneError> {
    Phone::parse(number, &CountryCode::parse(code).unwrap(), PhoneValidation::E164)
}

/// The region of a number is that of the library.
fn check_region(dial: i32, digits: &str, of_dial: &[String]) {
    let Ok(number) = LIBRARY.parse(format!("+{digits}"), None) else { return };
    // seven digits of North America can't be called from elsewhere
    if !(7..=15).contains(&digits.len()) || (dial == 1 && digits.len() != 11) {
        return;
    }
    let Some(known) = LIBRARY.get_region_for_number(&number).map(name) else { return };
    if format!("{dial}{}", get_national_significant_number_owned(&number)) != digits {
        return;
    }
    let number = format!("+{digits}");
    assert_eq!(parse(&number, &format!("+{dial}")).map(|phone| phone.country().as_str().to_owned()), Ok(known.clone()));
    for region in of_dial {
        // a country without numbers of its own in the library is not distinguishable from the others
        let is_told = Country::parse(region).unwrap().is_told_by_digits();
        let expected = if *region == known || !is_told { None } else { Some(PhoneError::CountryMismatch) };
        assert_eq!(parse(&number, region).err(), expected, "{number} {region}, of {known}");
    }
}

#[test]
fn countries_and_calling_codes_match_the_library() {
    let regions = regions();
    for (region, dial) in &regions {
        assert_eq!(i32::from(Country::parse(region).unwrap().dial_code()), *dial, "{region}");
    }
    let ours: BTreeSet<String> = Country::all().map(|country| country.as_str().to_owned()).collect();
    let without_numbers = ["AQ", "BV", "GS", "HM", "PN", "TF", "UM"].map(str::to_owned);
    assert_eq!(ours, regions.into_keys().chain(without_numbers).collect());
    let dials: BTreeSet<i32> = LIBRARY.get_supported_calling_codes().collect();
    for dial in 1..1000 {
        let ours =
            CountryCode::of_international(&format!("+{dial}")) == Ok(CountryCode::Dial(dial.try_into().unwrap()));
        assert_eq!(ours, dials.contains(&dial), "+{dial}");
    }
}

#[test]
fn every_example_number_is_of_its_region_in_each_form() {
    let regions = regions();
    let (mut checked, mut different) = (0, Vec::new());
    for region in LIBRARY.get_supported_regions() {
        let (code, dial) = (name(region), regions[&name(region)]);
        let of_dial: Vec<String> =
            regions.iter().filter(|other| *other.1 == dial).map(|other| other.0.clone()).collect();
        for example in examples(region) {
            let national = get_national_significant_number_owned(&example);
            let e164 = format!("+{dial}{national}");
            if e164.len() < 8 {
                continue;
            }
            check_region(dial, &e164[1..], &of_dial);
            if LIBRARY.get_region_for_number(&example).map(name).as_ref() != Some(&code) {
                continue;
            }
            let accepted = |text: &str| parse(text, &code).map(|phone| phone.as_str().to_owned());
            let written = LIBRARY.format(&example, PhoneNumberFormat::National);
            let abroad = LIBRARY.format(&example, PhoneNumberFormat::International);
            for text in [&national, &*written, &*abroad] {
                if accepted(text).as_ref() != Ok(&e164) {
                    different.push(format!("{code} {text}"));
                }
            }
            checked += 1;
        }
    }
    assert!(checked > 700, "{checked}");
    different.sort();
    assert_eq!(different, DIFFERENT);
}

/// A calling code that several countries share, with these and the national example numbers of all of them.
type SharedCode = (i32, Vec<String>, Vec<String>);

static SHARED: LazyLock<Vec<SharedCode>> = LazyLock::new(|| {
    let mut by_dial: BTreeMap<i32, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for region in LIBRARY.get_supported_regions() {
        let of_dial = by_dial.entry(LIBRARY.get_country_code_for_region(region).unwrap()).or_default();
        of_dial.0.push(name(region));
        of_dial.1.extend(examples(region).map(|example| get_national_significant_number_owned(&example)));
    }
    let shared = by_dial.into_iter().filter(|(_, (regions, _))| regions.len() > 1);
    shared.map(|(dial, (regions, examples))| (dial, regions, examples)).collect()
});

proptest! {
    // tables and library are fixed: the same numbers each time, so that a change elsewhere does not make the test fail
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(28_112_026),
        ..ProptestConfig::with_cases(3000)
    })]

    #[test]
    fn a_region_that_the_library_knows_is_ours(at: prop::sample::Index, of: prop::sample::Index, digits in "[0-9]{4,12}") {
        let (dial, of_dial, examples) = at.get(&SHARED);
        // the first digits of an example lead into its block
        let example = of.get(examples);
        let kept = example.len() / 2;
        let rest = &digits[..digits.len().min(example.len() - kept)];
        check_region(*dial, &format!("{dial}{}{rest}", &example[..kept]), of_dial);
        check_region(*dial, &format!("{dial}{digits}"), of_dial);
    }
}
