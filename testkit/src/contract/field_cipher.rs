//! Contract cases of the field cipher.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Case, Outcome, Setup};
use crate::samples::realm;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, DataKey, Field, Sealed, WrappedKey};
use portcullis_core::ports::field_cipher::FieldCipher;

type Cipher = Setup<dyn FieldCipher>;

const RECORD: [u8; 16] = [1; 16];
const OTHER_RECORD: [u8; 16] = [2; 16];

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn FieldCipher>> {
    cases![
        opens_what_it_sealed,
        a_value_never_seals_to_the_same_bytes,
        what_is_sealed_does_not_show,
        opens_nowhere_else,
        opens_under_no_other_key,
        a_flipped_bit_is_noticed,
        a_cut_or_lengthened_value_is_noticed,
        unwraps_what_it_wrapped,
        unwraps_nowhere_else,
        keys_and_values_never_stand_in_for_each_other,
        a_flipped_bit_of_a_wrapped_key_is_noticed,
        wraps_an_open_key_anew,
        says_which_key_wrapped,
        every_key_is_another,
        a_racing_crowd_gets_different_bytes,
    ]
}

const fn at(realm: &Realm, field: Field) -> AadContext<'_> {
    AadContext { realm, record: &RECORD, field }
}

/// Every place that differs from that of a value in one thing.
fn elsewhere<'a>(other_realm: &'a Realm, realm: &'a Realm, field: Field, other: Field) -> [AadContext<'a>; 3] {
    [
        AadContext { realm: other_realm, record: &RECORD, field },
        AadContext { realm, record: &OTHER_RECORD, field },
        AadContext { realm, record: &RECORD, field: other },
    ]
}

/// Every copy with one bit turned.
fn flipped(bytes: &[u8]) -> Vec<Vec<u8>> {
    let flip = |n: usize| {
        let turned = bytes.iter().enumerate().map(|(at, byte)| if at == n / 8 { byte ^ (1 << (n % 8)) } else { *byte });
        turned.collect()
    };
    (0..bytes.len() * 8).map(flip).collect()
}

async fn opens_what_it_sealed(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, _) = cipher.new_key(at(&realm, Field::Key))?;
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(10_000).collect();
    for value in [&b""[..], b"a", "Zoë O’Brien 😀".as_bytes(), &[0; 100], &every_byte] {
        for field in [Field::FirstName, Field::Email, Field::UserAgent, Field::Message, Field::Check] {
            let sealed = cipher.seal(&key, at(&realm, field), value)?;
            assert_eq!(cipher.open(&key, at(&realm, field), &sealed)?.as_slice(), value);
        }
    }
    Ok(())
}

async fn a_value_never_seals_to_the_same_bytes(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, _) = cipher.new_key(at(&realm, Field::Key))?;
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let sealed = cipher.seal(&key, at(&realm, Field::Email), b"someone@example.com")?;
        assert!(seen.insert(sealed.as_bytes().to_vec()), "it came twice");
    }
    Ok(())
}

async fn what_is_sealed_does_not_show(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
    let value = b"someone@example.com";
    let sealed = cipher.seal(&key, at(&realm, Field::Email), value)?;
    let shows = |bytes: &[u8], secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!shows(sealed.as_bytes(), value));
    assert!(!shows(sealed.as_bytes(), &value[..8]));
    assert!(!shows(wrapped.as_bytes(), key.as_bytes()));
    assert!(!shows(wrapped.as_bytes(), &key.as_bytes()[..8]));
    Ok(())
}

async fn opens_nowhere_else(cipher: &Cipher) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (key, _) = cipher.new_key(at(&here, Field::Key))?;
    let sealed = cipher.seal(&key, at(&here, Field::FirstName), b"Ada")?;
    for place in elsewhere(&there, &here, Field::FirstName, Field::LastName) {
        assert!(cipher.open(&key, place, &sealed).is_err(), "{place:?}");
    }
    assert_eq!(cipher.open(&key, at(&here, Field::FirstName), &sealed)?.as_slice(), b"Ada");
    Ok(())
}

async fn opens_under_no_other_key(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, _) = cipher.new_key(at(&realm, Field::Key))?;
    let (other, _) = cipher.new_key(at(&realm, Field::Key))?;
    let sealed = cipher.seal(&key, at(&realm, Field::Email), b"someone@example.com")?;
    for wrong in [other, DataKey::from_bytes([0; 32])] {
        assert!(cipher.open(&wrong, at(&realm, Field::Email), &sealed).is_err());
    }
    Ok(())
}

async fn a_flipped_bit_is_noticed(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, _) = cipher.new_key(at(&realm, Field::Key))?;
    let sealed = cipher.seal(&key, at(&realm, Field::Phone), b"+1234567890")?;
    for (bit, bytes) in flipped(sealed.as_bytes()).into_iter().enumerate() {
        let opened = cipher.open(&key, at(&realm, Field::Phone), &Sealed::from_bytes(bytes));
        assert!(opened.is_err(), "bit {bit} makes no difference");
    }
    Ok(())
}

async fn a_cut_or_lengthened_value_is_noticed(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, _) = cipher.new_key(at(&realm, Field::Key))?;
    let sealed = cipher.seal(&key, at(&realm, Field::Phone), b"+1234567890")?.as_bytes().to_vec();
    let lengthened = [&sealed[..], &[0]].concat();
    let cut = (0..sealed.len()).map(|length| sealed.iter().copied().take(length).collect());
    for bytes in cut.chain([lengthened, sealed.iter().copied().skip(1).collect()]) {
        let length = bytes.len();
        assert!(cipher.open(&key, at(&realm, Field::Phone), &Sealed::from_bytes(bytes)).is_err(), "{length} bytes");
    }
    Ok(())
}

async fn unwraps_what_it_wrapped(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
    let again = cipher.unwrap(&wrapped, at(&realm, Field::Key))?;
    assert_eq!(again.as_bytes(), key.as_bytes());
    let sealed = cipher.seal(&key, at(&realm, Field::Email), b"someone@example.com")?;
    assert_eq!(cipher.open(&again, at(&realm, Field::Email), &sealed)?.as_slice(), b"someone@example.com");
    Ok(())
}

async fn unwraps_nowhere_else(cipher: &Cipher) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (_, wrapped) = cipher.new_key(at(&here, Field::Key))?;
    let [other_realm, other_record, _] = elsewhere(&there, &here, Field::Key, Field::Key);
    for place in [other_realm, other_record] {
        assert!(cipher.unwrap(&wrapped, place).is_err(), "{place:?}");
    }
    Ok(())
}

async fn keys_and_values_never_stand_in_for_each_other(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (key, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
    let as_value = Sealed::from_bytes(wrapped.as_bytes().to_vec());
    assert!(cipher.open(&key, at(&realm, Field::Key), &as_value).is_err());
    for field in [Field::Key, Field::Email] {
        let sealed = cipher.seal(&key, at(&realm, field), key.as_bytes())?;
        let as_key = WrappedKey::from_bytes(sealed.as_bytes().to_vec());
        assert!(cipher.unwrap(&as_key, at(&realm, Field::Key)).is_err(), "{field:?}");
    }
    Ok(())
}

async fn a_flipped_bit_of_a_wrapped_key_is_noticed(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let (_, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
    let cut = wrapped.as_bytes().iter().copied().skip(1).collect();
    for (bit, bytes) in flipped(wrapped.as_bytes()).into_iter().chain([Vec::new(), cut]).enumerate() {
        let opened = cipher.unwrap(&WrappedKey::from_bytes(bytes), at(&realm, Field::Key));
        assert!(opened.is_err(), "bit {bit} makes no difference");
    }
    Ok(())
}

async fn wraps_an_open_key_anew(cipher: &Cipher) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (key, wrapped) = cipher.new_key(at(&here, Field::Key))?;
    let sealed = cipher.seal(&key, at(&here, Field::Email), b"someone@example.com")?;
    let mut seen = BTreeSet::from([wrapped.as_bytes().to_vec()]);
    for _ in 0..100 {
        let anew = cipher.wrap(&key, at(&here, Field::Key))?;
        assert!(seen.insert(anew.as_bytes().to_vec()), "it came twice");
        let again = cipher.unwrap(&anew, at(&here, Field::Key))?;
        assert_eq!(cipher.open(&again, at(&here, Field::Email), &sealed)?.as_slice(), b"someone@example.com");
        assert!(cipher.unwrap(&anew, at(&there, Field::Key)).is_err());
    }
    // the old wrapping is as good as before
    assert_eq!(cipher.unwrap(&wrapped, at(&here, Field::Key))?.as_bytes(), key.as_bytes());
    Ok(())
}

async fn says_which_key_wrapped(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let ring = cipher.ring();
    let first = ring.first().copied();
    assert!(first.is_some() && ring.iter().collect::<BTreeSet<_>>().len() == ring.len(), "{ring:?}");
    let (key, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
    assert_eq!(cipher.wrapping_key(&wrapped), first);
    assert_eq!(cipher.wrapping_key(&cipher.wrap(&key, at(&realm, Field::Key))?), first);
    for nothing in [&b""[..], &[1], &[0; 3]] {
        assert_eq!(cipher.wrapping_key(&WrappedKey::from_bytes(nothing.to_vec())), None);
    }
    Ok(())
}

async fn every_key_is_another(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let (key, wrapped) = cipher.new_key(at(&realm, Field::Key))?;
        assert!(seen.insert(key.as_bytes().to_vec()) && seen.insert(wrapped.as_bytes().to_vec()), "it came twice");
    }
    Ok(())
}

async fn a_racing_crowd_gets_different_bytes(cipher: &Cipher) -> Outcome {
    let realm = realm("User1");
    let key = DataKey::from_bytes([7; 32]);
    let seal = |cipher: Arc<dyn FieldCipher>, _| {
        let (realm, key) = (realm.clone(), key.clone());
        async move {
            let seal = |_| cipher.seal(&key, at(&realm, Field::Email), b"a").map(|sealed| sealed.as_bytes().to_vec());
            (0..20).map(seal).collect::<Result<Vec<_>, _>>()
        }
    };
    let seen: BTreeSet<Vec<u8>> = cipher.race(20, seal).await?.into_iter().flatten().collect();
    assert_eq!(seen.len(), 400);
    Ok(())
}
