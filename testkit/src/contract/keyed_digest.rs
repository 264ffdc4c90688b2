//! Contract cases of the keyed digest.

use std::collections::BTreeSet;

use super::{Case, Outcome, Setup};
use crate::samples::realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};

type Digests = Setup<dyn KeyedDigest>;

const DOMAINS: [Domain; 9] = [
    Domain::Email,
    Domain::Phone,
    Domain::OneTimeToken,
    Domain::TypedCode,
    Domain::RefreshToken,
    Domain::RefreshSuccessor,
    Domain::RegistrationSalt,
    Domain::ClientAddress,
    Domain::MailQuota,
];

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn KeyedDigest>> {
    cases![
        equal_inputs_have_equal_digests,
        domains_and_realms_never_agree,
        parts_never_run_together,
        similar_inputs_have_nothing_in_common,
        does_not_show_its_input,
        a_second_key_gives_other_digests,
    ]
}

async fn equal_inputs_have_equal_digests(digests: &Digests) -> Outcome {
    let realm = realm("User1");
    for domain in DOMAINS {
        for parts in [&[][..], &[b"".as_slice()], &[b"a", b"b"], &[&[0; 10_000]]] {
            assert_eq!(digests.digest(domain, &realm, parts), digests.digest(domain, &realm, parts), "{domain:?}");
        }
    }
    Ok(())
}

async fn domains_and_realms_never_agree(digests: &Digests) -> Outcome {
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    for realm in ["User1", "User2", "user1", "User", "User11"].map(realm) {
        for domain in DOMAINS {
            assert!(seen.insert(digests.digest(domain, &realm, &[b"same"])), "{domain:?} of {realm}");
        }
    }
    Ok(())
}

async fn parts_never_run_together(digests: &Digests) -> Outcome {
    let realm = realm("User1");
    let lists: [&[&[u8]]; 12] = [
        &[],
        &[b""],
        &[b"", b""],
        &[b"abc"],
        &[b"ab", b"c"],
        &[b"a", b"bc"],
        &[b"a", b"b", b"c"],
        &[b"abc", b""],
        &[b"", b"abc"],
        &[b"abc\0"],
        &[b"ab\0", b"c"],
        &[b"ab", b"\0c"],
    ];
    let seen: BTreeSet<Digest> = lists.iter().map(|parts| digests.digest(Domain::TypedCode, &realm, parts)).collect();
    assert_eq!(seen.len(), lists.len());
    Ok(())
}

async fn similar_inputs_have_nothing_in_common(digests: &Digests) -> Outcome {
    let realm = realm("User1");
    let seen: Vec<Digest> =
        (0..1000u32).map(|n| digests.digest(Domain::Phone, &realm, &[format!("+1555{n:06}").as_bytes()])).collect();
    let distinct: BTreeSet<&[u8]> = seen.iter().flat_map(|digest| digest.as_bytes().chunks(8)).collect();
    assert_eq!(distinct.len(), 4000, "halves and quarters of digests agree");
    Ok(())
}

async fn a_second_key_gives_other_digests(digests: &Digests) -> Outcome {
    let (realm, parts): (_, [&[u8]; 1]) = (realm("User1"), [b"same"]);
    for domain in DOMAINS.into_iter().filter(|domain| domain.is_lasting()) {
        let newest = digests.digest(domain, &realm, &parts);
        let other = digests.digest_by_other(domain, &realm, &parts);
        assert_ne!(other, Some(newest), "{domain:?}");
        assert_eq!(other, digests.digest_by_other(domain, &realm, &parts), "{domain:?}");
    }
    Ok(())
}

async fn does_not_show_its_input(digests: &Digests) -> Outcome {
    let input = [b"someone@example.".as_slice(), b"com"];
    let digest = digests.digest(Domain::Email, &realm("User1"), &input);
    assert!(!digest.as_bytes().windows(4).any(|window| input.concat().windows(4).any(|part| part == window)));
    Ok(())
}
