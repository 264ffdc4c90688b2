//! Contract cases of the one-time token store: links here, typed codes in `typed_codes`.

mod typed_codes;

use std::sync::Arc;
use std::time::Duration;

use super::agreement::one_time_token_store::agrees_with_the_fake;
use super::{Case, Outcome, Records, Setup};
use crate::samples::{LIFE, NOW, digest, holder, realm, token, user_id};
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;

type Tokens = Setup<Records<dyn OneTimeTokenStore>>;

const MILLI: Duration = Duration::from_millis(1);
const RESET: Purpose = Purpose::ResetPassword;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn OneTimeTokenStore>>> {
    let mut cases = cases![
        an_empty_store_finds_nothing,
        finds_what_was_put,
        keeps_every_field,
        a_newer_token_kills_the_older,
        purposes_never_mix,
        realms_never_mix,
        lives_until_its_expiry_and_not_longer,
        looking_uses_nothing_up,
        is_consumed_once,
        one_of_many_racing_calls_consumes_it,
        the_expired_are_not_consumed,
        removes_a_holders_token,
        removes_all_of_a_subject,
        purges_what_has_expired_and_nothing_else,
        agrees_with_the_fake,
    ];
    cases.extend(typed_codes::cases());
    cases
}

/// Everything there is to ask about one token.
async fn is_found(
    tokens: &Tokens,
    token: &OneTimeToken,
    now: Timestamp,
) -> Result<bool, portcullis_core::ports::error::PortError> {
    let peeked = tokens.find_valid(&token.holder.realm, token.holder.purpose, &token.token, now).await?;
    let found = tokens.find(&token.holder, now).await?.filter(|found| found.token == token.token);
    assert_eq!(peeked, found, "peek and find disagree");
    assert!(peeked.as_ref().is_none_or(|peeked| peeked == token), "another token was found");
    Ok(peeked.is_some())
}

async fn an_empty_store_finds_nothing(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let absent = token(&realm, RESET, 1);
    assert!(!is_found(tokens, &absent, NOW).await?);
    assert_eq!(tokens.consume(&realm, RESET, &absent.token, NOW).await?, None);
    assert!(!tokens.set_code(&absent.holder, &absent.token, digest("code", 1), 5, NOW).await?);
    tokens.remove(&absent.holder).await?;
    tokens.remove_all(&realm, &absent.holder.subject).await?;
    assert_eq!(tokens.purge_expired(NOW).await?, 0);
    Ok(())
}

async fn finds_what_was_put(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (token(&realm, RESET, 1), token(&realm, RESET, 2));
    tokens.put(one.clone()).await?;
    tokens.put(two.clone()).await?;
    assert!(is_found(tokens, &one, NOW).await?);
    assert!(is_found(tokens, &two, NOW).await?);
    assert_eq!(tokens.find_valid(&realm, RESET, &digest("token", 3), NOW).await?, None);
    assert_eq!(tokens.find(&holder(&realm, RESET, 3), NOW).await?, None);
    Ok(())
}

async fn keeps_every_field(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let plain = || token(&realm, RESET, 1);
    let shapes = [
        OneTimeToken { code: None, tries_left: 0, ..plain() },
        OneTimeToken { tries_left: u8::MAX, ..plain() },
        OneTimeToken { binding: Some(digest("binding", 1)), ..plain() },
        OneTimeToken { created_at: NOW - LIFE, expires_at: NOW + MILLI, ..plain() },
    ];
    for shape in shapes {
        tokens.put(shape.clone()).await?;
        assert!(is_found(tokens, &shape, NOW).await?);
        assert_eq!(tokens.consume(&realm, RESET, &shape.token, NOW).await?, Some(shape));
    }
    for purpose in Purpose::ALL {
        let shape = token(&realm, purpose, 1);
        tokens.put(shape.clone()).await?;
        assert!(is_found(tokens, &shape, NOW).await?);
    }
    Ok(())
}

async fn a_newer_token_kills_the_older(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let older = token(&realm, RESET, 1);
    let newer = OneTimeToken { token: digest("newer", 1), created_at: NOW + MILLI, ..older.clone() };
    let other = token(&realm, RESET, 2);
    for one in [&older, &other, &newer] {
        tokens.put(one.clone()).await?;
    }
    assert!(!is_found(tokens, &older, NOW).await?);
    assert_eq!(tokens.consume(&realm, RESET, &older.token, NOW).await?, None);
    assert!(is_found(tokens, &newer, NOW).await?);
    assert!(is_found(tokens, &other, NOW).await?);
    Ok(())
}

async fn purposes_never_mix(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    for stored in Purpose::ALL {
        let one = token(&realm, stored, 1);
        tokens.put(one.clone()).await?;
        for asked in Purpose::ALL.into_iter().filter(|&asked| asked != stored) {
            assert_eq!(tokens.find_valid(&realm, asked, &one.token, NOW).await?, None);
            assert_eq!(tokens.find(&holder(&realm, asked, 1), NOW).await?, None);
            assert_eq!(tokens.consume(&realm, asked, &one.token, NOW).await?, None);
            tokens.remove(&holder(&realm, asked, 1)).await?;
        }
        assert!(is_found(tokens, &one, NOW).await?);
        tokens.remove(&one.holder).await?;
    }
    Ok(())
}

async fn realms_never_mix(tokens: &Tokens) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (mine, theirs) = (token(&here, RESET, 1), token(&there, RESET, 1));
    tokens.put(mine.clone()).await?;
    assert!(!is_found(tokens, &theirs, NOW).await?);
    assert_eq!(tokens.consume(&there, RESET, &mine.token, NOW).await?, None);
    assert!(!tokens.set_code(&theirs.holder, &mine.token, digest("code", 9), 5, NOW).await?);
    tokens.put(theirs.clone()).await?;
    tokens.remove_all(&there, &user_id(1)).await?;
    assert!(is_found(tokens, &mine, NOW).await?);
    assert!(!is_found(tokens, &theirs, NOW).await?);
    Ok(())
}

async fn lives_until_its_expiry_and_not_longer(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), RESET, 1);
    tokens.put(one.clone()).await?;
    assert!(is_found(tokens, &one, one.expires_at - MILLI).await?);
    for now in [one.expires_at, one.expires_at + MILLI, one.expires_at + LIFE] {
        assert!(!is_found(tokens, &one, now).await?);
    }
    Ok(())
}

async fn looking_uses_nothing_up(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), RESET, 1);
    tokens.put(one.clone()).await?;
    for _ in 0..10 {
        assert!(is_found(tokens, &one, NOW).await?);
    }
    assert_eq!(tokens.consume(&one.holder.realm, RESET, &one.token, NOW).await?, Some(one));
    Ok(())
}

async fn is_consumed_once(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (token(&realm, RESET, 1), token(&realm, RESET, 2));
    tokens.put(one.clone()).await?;
    tokens.put(two.clone()).await?;
    assert_eq!(tokens.consume(&realm, RESET, &one.token, NOW).await?, Some(one.clone()));
    assert_eq!(tokens.consume(&realm, RESET, &one.token, NOW).await?, None);
    assert!(!is_found(tokens, &one, NOW).await?);
    assert!(is_found(tokens, &two, NOW).await?);
    Ok(())
}

async fn one_of_many_racing_calls_consumes_it(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), RESET, 1);
    tokens.put(one.clone()).await?;
    let consume = |tokens: Arc<Records<dyn OneTimeTokenStore>>, _| {
        let one = one.clone();
        async move { tokens.consume(&one.holder.realm, RESET, &one.token, NOW).await }
    };
    let answers = tokens.race(50, consume).await?;
    let got: Vec<OneTimeToken> = answers.into_iter().flatten().collect();
    assert_eq!(got, vec![one]);
    Ok(())
}

async fn the_expired_are_not_consumed(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), RESET, 1);
    let (realm, end) = (&one.holder.realm, one.expires_at);
    tokens.put(one.clone()).await?;
    assert_eq!(tokens.consume(realm, RESET, &one.token, end).await?, None);
    tokens.put(one.clone()).await?;
    assert_eq!(tokens.consume(realm, RESET, &one.token, end - MILLI).await?, Some(one.clone()));
    Ok(())
}

async fn removes_a_holders_token(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let kept = [token(&realm, RESET, 2), token(&realm, Purpose::LoginMfa, 1)];
    let gone = token(&realm, RESET, 1);
    for one in kept.iter().chain([&gone]) {
        tokens.put(one.clone()).await?;
    }
    tokens.remove(&gone.holder).await?;
    tokens.remove(&gone.holder).await?;
    assert!(!is_found(tokens, &gone, NOW).await?);
    for one in &kept {
        assert!(is_found(tokens, one, NOW).await?);
    }
    Ok(())
}

async fn removes_all_of_a_subject(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    for purpose in Purpose::ALL {
        tokens.put(token(&realm, purpose, 1)).await?;
        tokens.put(token(&realm, purpose, 2)).await?;
    }
    tokens.remove_all(&realm, &user_id(1)).await?;
    for purpose in Purpose::ALL {
        assert!(!is_found(tokens, &token(&realm, purpose, 1), NOW).await?);
        assert!(is_found(tokens, &token(&realm, purpose, 2), NOW).await?);
    }
    Ok(())
}

async fn purges_what_has_expired_and_nothing_else(tokens: &Tokens) -> Outcome {
    let (one, two) = (token(&realm("User1"), RESET, 1), token(&realm("User2"), RESET, 1));
    let living = OneTimeToken { expires_at: one.expires_at + MILLI, ..token(&realm("User1"), RESET, 2) };
    for token in [&one, &two, &living] {
        tokens.put(token.clone()).await?;
    }
    assert_eq!(tokens.purge_expired(one.expires_at - MILLI).await?, 0);
    assert_eq!(tokens.purge_expired(one.expires_at).await?, 2);
    assert_eq!(tokens.purge_expired(one.expires_at).await?, 0);
    assert!(!is_found(tokens, &one, NOW).await?);
    assert!(is_found(tokens, &living, NOW).await?);
    Ok(())
}
