//! The contract of the password hasher.

use super::{Case, Outcome, Setup, count};
use crate::samples::password;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher, Verdict};

type Hasher = Setup<dyn PasswordHasher>;

const SALT: [u8; 16] = [7; 16];
const FRESH: Verdict = Verdict::Right { stale: false };

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn PasswordHasher>> {
    cases![
        knows_a_right_password_from_a_wrong_one,
        equal_passwords_and_salts_give_equal_hashes,
        another_salt_gives_another_hash,
        takes_any_text,
        a_hash_is_a_phc_string_that_shows_nothing,
        what_is_no_hash_is_never_right,
        hashes_for_many_at_once,
    ]
}

async fn knows_a_right_password_from_a_wrong_one(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    assert_eq!(hasher.verify(password("correct horse"), hash.clone()).await?, FRESH);
    for wrong in ["", "correct", "correct hors", "correct horse ", "Correct horse", "correct horse\0"] {
        assert_eq!(hasher.verify(password(wrong), hash.clone()).await?, Verdict::Wrong, "{wrong:?}");
    }
    Ok(())
}

async fn equal_passwords_and_salts_give_equal_hashes(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    assert!(hasher.hash(password("correct horse"), SALT).await?.matches(&hash));
    assert!(!hasher.hash(password("battery staple"), SALT).await?.matches(&hash));
    Ok(())
}

async fn another_salt_gives_another_hash(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    let other = hasher.hash(password("correct horse"), [8; 16]).await?;
    assert!(!hash.matches(&other));
    let tail = |phc: &str| phc.rsplit('$').next().map(str::to_owned);
    assert_ne!(tail(hash.as_str()), tail(other.as_str()), "the salt is written down and not used");
    assert_eq!(hasher.verify(password("correct horse"), other).await?, FRESH);
    Ok(())
}

async fn takes_any_text(hasher: &Hasher) -> Outcome {
    let long = "long ".repeat(200);
    for odd in ["", " ", "\0", "\u{301}", "пароль", "Grüße aus 東京", "🗝️🔐", &long] {
        let hash = hasher.hash(password(odd), SALT).await?;
        assert_eq!(hasher.verify(password(odd), hash.clone()).await?, FRESH, "{odd:?}");
        assert_eq!(hasher.verify(password(&format!("{odd}x")), hash).await?, Verdict::Wrong, "{odd:?}");
    }
    Ok(())
}

async fn a_hash_is_a_phc_string_that_shows_nothing(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    let phc = hash.as_str();
    assert!(phc.starts_with('$') && phc.split('$').count() >= 5, "{phc}");
    assert!(phc.bytes().all(|byte| byte.is_ascii_graphic()), "{phc}");
    assert!(!phc.contains("correct") && !phc.contains("horse"), "{phc}");
    Ok(())
}

async fn what_is_no_hash_is_never_right(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    let cut = hash.as_str().rsplit_once('$').map_or("", |(front, _)| front).to_owned();
    for garbage in
        [String::new(), "$".to_owned(), "plain".to_owned(), format!("{cut}$"), cut, format!("x{}", hash.as_str())]
    {
        let verdict =
            hasher.verify(password("correct horse"), portcullis_core::model::user::PasswordHash::new(&*garbage)).await;
        assert!(!matches!(verdict, Ok(Verdict::Right { .. })), "{garbage}");
    }
    Ok(())
}

async fn hashes_for_many_at_once(hasher: &Hasher) -> Outcome {
    let hash = |hasher: std::sync::Arc<dyn PasswordHasher>, n: u64| async move {
        let mine = || password(&format!("correct horse {n}"));
        let as_port = |error| match error {
            HashError::Port(error) => error,
            HashError::Overloaded => PortError::new("password_hasher", "overloaded by eight"),
        };
        let hash = hasher.hash(mine(), SALT).await.map_err(as_port)?;
        hasher.verify(mine(), hash).await.map_err(as_port)
    };
    assert_eq!(count(&hasher.race(8, hash).await?, &FRESH), 8);
    Ok(())
}
