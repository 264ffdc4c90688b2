//! Contract cases of the password hasher.

use super::{Case, Outcome, Setup, count};
use crate::samples::password;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher};

type Hasher = Setup<dyn PasswordHasher>;

const SALT: [u8; 16] = [7; 16];

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn PasswordHasher>> {
    cases![
        knows_a_right_password_from_a_wrong_one,
        equal_passwords_and_salts_give_equal_hashes,
        another_salt_gives_another_hash,
        a_new_password_may_keep_the_salt,
        takes_any_text,
        a_hash_is_a_phc_string_that_shows_nothing,
        what_is_no_hash_is_never_right,
        hashes_for_many_at_once,
        a_decoy_has_the_parameters_of_another_hash,
    ]
}

/// Whether that is the password of a stored hash.
async fn is_right(hasher: &Hasher, text: &str, stored: &PasswordHash) -> Result<bool, HashError> {
    Ok(hasher.hash_like(password(text), stored.clone()).await?.matches(stored))
}

async fn a_decoy_has_the_parameters_of_another_hash(hasher: &Hasher) -> Outcome {
    let stored = hasher.hash(password("correct horse"), [1; 16]).await?;
    let decoy = hasher.decoy_like(&stored, SALT).ok_or("a hash of ours can be read")?;
    let hash = hasher.hash_like(password("correct horse"), decoy.clone()).await?;
    assert!(!hash.matches(&decoy) && hash.matches(&hasher.hash(password("correct horse"), SALT).await?));
    assert_eq!(hasher.is_outdated(&decoy), hasher.is_outdated(&stored));
    assert_eq!(hasher.decoy_like(&PasswordHash::new("no hash"), SALT), None);
    Ok(())
}

async fn a_new_password_may_keep_the_salt(hasher: &Hasher) -> Outcome {
    let old = hasher.hash(password("correct horse"), SALT).await?;
    let new = hasher.hash_with_salt_of(password("battery staple"), old.clone()).await?;
    assert!(hasher.hash(password("battery staple"), SALT).await?.matches(&new) && !new.matches(&old));
    Ok(())
}

async fn knows_a_right_password_from_a_wrong_one(hasher: &Hasher) -> Outcome {
    let hash = hasher.hash(password("correct horse"), SALT).await?;
    assert!(is_right(hasher, "correct horse", &hash).await?);
    assert!(!hasher.is_outdated(&hash));
    for wrong in ["", "correct", "correct hors", "correct horse ", "Correct horse", "correct horse\0"] {
        assert!(!is_right(hasher, wrong, &hash).await?, "{wrong:?}");
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
    assert!(is_right(hasher, "correct horse", &other).await?);
    Ok(())
}

async fn takes_any_text(hasher: &Hasher) -> Outcome {
    let long = "long ".repeat(200);
    for odd in ["", " ", "\0", "\u{301}", "пароль", "Grüße aus 東京", "🗝️🔐", &long] {
        let hash = hasher.hash(password(odd), SALT).await?;
        assert!(is_right(hasher, odd, &hash).await?, "{odd:?}");
        assert!(!is_right(hasher, &format!("{odd}x"), &hash).await?, "{odd:?}");
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
        let stored = PasswordHash::new(&*garbage);
        let hash = hasher.hash_like(password("correct horse"), stored.clone()).await;
        assert!(!hash.is_ok_and(|hash| hash.matches(&stored)), "{garbage}");
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
        hasher.hash_like(mine(), hash.clone()).await.map(|again| again.matches(&hash)).map_err(as_port)
    };
    assert_eq!(count(&hasher.race(8, hash).await?, &true), 8);
    Ok(())
}
