//! Contract cases of the token signer.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::samples::{LIFE, NOW, claims, realm};
use portcullis_core::model::role::Roles;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::token_signer::{AccessClaims, TokenSigner};

type Signer = Setup<dyn TokenSigner>;

const SECOND: Duration = Duration::from_secs(1);
/// More than the leeway a signer may give.
const TOO_LONG: Duration = Duration::from_secs(31);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn TokenSigner>> {
    cases![
        verifies_what_it_signed,
        keeps_how_the_user_was_authenticated,
        keeps_the_client_that_the_token_is_for,
        keeps_the_roles_of_the_account,
        counts_in_whole_seconds,
        a_token_is_good_in_its_realm_only,
        a_token_is_dead_after_its_expiry,
        a_token_is_dead_before_its_issue,
        every_character_counts,
        a_cut_or_lengthened_token_is_none,
        parts_of_tokens_do_not_mix,
        garbage_is_none,
        a_token_can_be_carried_in_a_header,
        has_an_issuer,
    ]
}

async fn verifies_what_it_signed(signer: &Signer) -> Outcome {
    for realm in [realm("User1"), realm("User2")] {
        for n in 0..10 {
            let said = claims(&realm, n);
            let token = signer.sign(&said)?;
            for now in [NOW, NOW + SECOND * 900, said.expires_at - SECOND] {
                assert_eq!(signer.verify(&realm, token.expose(), now).as_ref(), Some(&said));
            }
        }
    }
    Ok(())
}

async fn keeps_how_the_user_was_authenticated(signer: &Signer) -> Outcome {
    for methods in (0..=u8::MAX).filter_map(AuthMethods::from_bits) {
        let said = AccessClaims { methods, ..claims(&realm("User1"), 1) };
        let token = signer.sign(&said)?;
        assert_eq!(signer.verify(&said.realm, token.expose(), NOW), Some(said));
    }
    Ok(())
}

async fn keeps_the_client_that_the_token_is_for(signer: &Signer) -> Outcome {
    let said = AccessClaims { client_id: "reports/2 \u{fc}".to_owned(), ..claims(&realm("User1"), 1) };
    let token = signer.sign(&said)?;
    assert_eq!(signer.verify(&said.realm, token.expose(), NOW), Some(said));
    Ok(())
}

async fn keeps_the_roles_of_the_account(signer: &Signer) -> Outcome {
    let most: Vec<String> = (0..32).map(|n| format!("{n:x>32}")).collect();
    for names in [vec!["admin"], vec!["b:2", "a.1"], most.iter().map(String::as_str).collect()] {
        let roles = Roles::parse(names).ok_or("names of roles")?;
        let said = AccessClaims { roles, ..claims(&realm("User1"), 1) };
        let token = signer.sign(&said)?;
        assert_eq!(signer.verify(&said.realm, token.expose(), NOW), Some(said));
    }
    Ok(())
}

async fn counts_in_whole_seconds(signer: &Signer) -> Outcome {
    let whole = claims(&realm("User1"), 1);
    let later = |at: Timestamp| at + Duration::from_millis(999);
    let broken = AccessClaims {
        issued_at: later(whole.issued_at),
        expires_at: later(whole.expires_at),
        authenticated_at: later(whole.authenticated_at),
        ..whole.clone()
    };
    let token = signer.sign(&broken)?;
    assert_eq!(signer.verify(&whole.realm, token.expose(), NOW + SECOND), Some(whole));
    Ok(())
}

async fn a_token_is_good_in_its_realm_only(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let token = signer.sign(&said)?;
    for other in ["User2", "user1", "User", "User11"] {
        assert_eq!(signer.verify(&realm(other), token.expose(), NOW), None, "{other}");
    }
    assert_eq!(signer.verify(&said.realm, token.expose(), NOW), Some(said));
    Ok(())
}

async fn a_token_is_dead_after_its_expiry(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let token = signer.sign(&said)?;
    for late in [TOO_LONG, Duration::from_mins(1), LIFE, LIFE * 10_000] {
        assert_eq!(signer.verify(&said.realm, token.expose(), said.expires_at + late), None, "{late:?} late");
    }
    Ok(())
}

async fn a_token_is_dead_before_its_issue(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let token = signer.sign(&said)?;
    for early in [TOO_LONG, Duration::from_mins(1), LIFE, LIFE * 10_000] {
        assert_eq!(signer.verify(&said.realm, token.expose(), said.issued_at - early), None, "{early:?} early");
    }
    Ok(())
}

async fn every_character_counts(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let token = signer.sign(&said)?;
    let characters: Vec<char> = token.expose().chars().collect();
    for at in 0..characters.len() {
        for other in ['A', 'B', '0', '.'] {
            let swap = |(n, &c): (usize, &char)| if n == at { other } else { c };
            let tampered: String = characters.iter().enumerate().map(swap).collect();
            if tampered != token.expose() {
                assert_eq!(signer.verify(&said.realm, &tampered, NOW), None, "character {at} makes no difference");
            }
        }
    }
    Ok(())
}

async fn a_cut_or_lengthened_token_is_none(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let token = signer.sign(&said)?;
    let text = token.expose();
    for cut in 0..text.len() {
        assert_eq!(signer.verify(&said.realm, text.get(..cut).unwrap_or(""), NOW), None, "cut to {cut}");
    }
    for longer in [" ", "A", "=", "==", ".", ".A", "\n", "\0"] {
        assert_eq!(signer.verify(&said.realm, &format!("{text}{longer}"), NOW), None, "{longer:?} behind");
        assert_eq!(signer.verify(&said.realm, &format!("{longer}{text}"), NOW), None, "{longer:?} in front");
    }
    assert_eq!(signer.verify(&said.realm, &text.to_uppercase(), NOW), None);
    Ok(())
}

async fn parts_of_tokens_do_not_mix(signer: &Signer) -> Outcome {
    let said = claims(&realm("User1"), 1);
    let (one, two) = (signer.sign(&said)?, signer.sign(&claims(&said.realm, 2))?);
    let split = |text: &str| text.rsplit_once('.').map(|(body, mac)| (body.to_owned(), mac.to_owned()));
    let ((body, _), (_, mac)) = split(one.expose()).zip(split(two.expose())).ok_or("a token has parts")?;
    assert_eq!(signer.verify(&said.realm, &format!("{body}.{mac}"), NOW), None);
    Ok(())
}

async fn garbage_is_none(signer: &Signer) -> Outcome {
    let long = "A".repeat(100_000);
    let alg_none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ1c3JfMDAifQ.";
    for garbage in ["", ".", "..", "...", "a.b.c", "fake..", "\0", "é.é.é", "null", "{}", alg_none, &long] {
        assert_eq!(signer.verify(&realm("User1"), garbage, NOW), None);
    }
    Ok(())
}

async fn a_token_can_be_carried_in_a_header(signer: &Signer) -> Outcome {
    let token = signer.sign(&claims(&realm("User1"), 1))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    assert!(token.expose().bytes().all(allowed), "RFC 6750 says what a bearer token may be made of");
    assert!(token.expose().len() < 2048);
    Ok(())
}

async fn has_an_issuer(signer: &Signer) -> Outcome {
    assert_ne!(signer.issuer(&realm("User1")), signer.issuer(&realm("User2")));
    assert!(signer.issuer(&realm("User1")).ends_with("/User1"));
    Ok(())
}
