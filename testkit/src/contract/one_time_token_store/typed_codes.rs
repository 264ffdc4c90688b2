//! Codes a person types: counted before they are compared, and dead after too many.

use std::sync::Arc;

use super::{MILLI, Tokens, is_found};
use crate::contract::Records;
use crate::contract::{Case, Outcome, count};
use crate::samples::{NOW, digest, holder, realm, token};
use portcullis_core::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose};
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};

const OTP: Purpose = Purpose::VerifyPhone;

/// The cases of typed codes.
pub(super) fn cases() -> Vec<Case<Records<dyn OneTimeTokenStore>>> {
    cases![
        a_right_code_uses_the_token_up,
        a_wrong_code_spends_a_try,
        a_code_is_dead_after_five_wrong_tries_and_its_link_is_not,
        a_code_of_nobody_is_dead,
        an_expired_code_is_dead,
        a_token_without_a_code_has_none_to_try,
        codes_of_other_purposes_and_realms_are_dead,
        arms_the_token_it_was_made_for,
        does_not_arm_a_newer_token_or_a_dead_one,
        arming_gives_all_tries_anew,
        one_of_many_racing_right_codes_wins,
        never_more_than_the_tries_are_compared,
        a_racing_right_code_is_right_at_most_once,
    ]
}

/// Both ways to address a token's code.
fn addresses(token: &OneTimeToken) -> [CodeLookup; 2] {
    let holder = token.holder.clone();
    [CodeLookup::Token(holder.realm.clone(), holder.purpose, token.token), CodeLookup::Owner(holder)]
}

/// A token but for the tries it has left.
fn but_for_tries(token: &OneTimeToken) -> OneTimeToken {
    OneTimeToken { tries_left: 0, ..token.clone() }
}

async fn a_right_code_uses_the_token_up(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    for of in addresses(&one) {
        tokens.put(one.clone()).await?;
        let answer = tokens.try_code(&of, &digest("code", 1), NOW).await?;
        assert!(
            matches!(&answer, CodeAttempt::Right(right) if but_for_tries(right) == but_for_tries(&one)),
            "{answer:?}"
        );
        assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
        assert!(!is_found(tokens, &one, NOW).await?);
        assert_eq!(tokens.consume(&one.holder.realm, OTP, &one.token, NOW).await?, None);
    }
    Ok(())
}

async fn a_wrong_code_spends_a_try(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    for of in addresses(&one) {
        tokens.put(one.clone()).await?;
        for left in (1..CODE_TRIES).rev() {
            assert_eq!(tokens.try_code(&of, &digest("code", 2), NOW).await?, CodeAttempt::Wrong(one.holder.clone()));
            let stored = tokens.find(&one.holder, NOW).await?;
            assert_eq!(stored, Some(OneTimeToken { tries_left: left, ..one.clone() }));
        }
        assert!(
            matches!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Right(_)),
            "the last try is one"
        );
    }
    Ok(())
}

async fn a_code_is_dead_after_five_wrong_tries_and_its_link_is_not(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), Purpose::VerifyEmail, 1);
    for of in addresses(&one) {
        tokens.put(one.clone()).await?;
        for _ in 0..CODE_TRIES {
            assert_eq!(tokens.try_code(&of, &digest("code", 2), NOW).await?, CodeAttempt::Wrong(one.holder.clone()));
        }
        assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
        let spent = OneTimeToken { tries_left: 0, ..one.clone() };
        let consumed = tokens.consume(&one.holder.realm, Purpose::VerifyEmail, &one.token, NOW).await?;
        assert_eq!(consumed, Some(spent));
    }
    Ok(())
}

async fn a_code_of_nobody_is_dead(tokens: &Tokens) -> Outcome {
    for of in addresses(&token(&realm("User1"), OTP, 1)) {
        assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
    }
    Ok(())
}

async fn an_expired_code_is_dead(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    for of in addresses(&one) {
        tokens.put(one.clone()).await?;
        assert_eq!(tokens.try_code(&of, &digest("code", 1), one.expires_at).await?, CodeAttempt::Dead);
        tokens.put(one.clone()).await?;
        let answer = tokens.try_code(&of, &digest("code", 1), one.expires_at - MILLI).await?;
        assert!(matches!(answer, CodeAttempt::Right(_)), "{answer:?}");
    }
    Ok(())
}

async fn a_token_without_a_code_has_none_to_try(tokens: &Tokens) -> Outcome {
    let one = OneTimeToken { code: None, ..token(&realm("User1"), OTP, 1) };
    tokens.put(one.clone()).await?;
    for of in addresses(&one) {
        assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
    }
    assert!(is_found(tokens, &one, NOW).await?, "trying changed it");
    Ok(())
}

async fn codes_of_other_purposes_and_realms_are_dead(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    tokens.put(one.clone()).await?;
    for other in [token(&realm("User1"), Purpose::LoginMfa, 1), token(&realm("User2"), OTP, 1)] {
        for of in addresses(&other) {
            assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
        }
    }
    assert!(is_found(tokens, &one, NOW).await?, "trying another's changed it");
    Ok(())
}

async fn arms_the_token_it_was_made_for(tokens: &Tokens) -> Outcome {
    let bare = OneTimeToken { code: None, tries_left: 0, ..token(&realm("User1"), OTP, 1) };
    tokens.put(bare.clone()).await?;
    let end = bare.expires_at - MILLI;
    assert!(tokens.set_code(&bare.holder, &bare.token, digest("code", 7), CODE_TRIES, end).await?);
    let armed = OneTimeToken { code: Some(digest("code", 7)), tries_left: CODE_TRIES, ..bare };
    assert_eq!(tokens.find(&armed.holder, NOW).await?, Some(armed.clone()));
    for of in addresses(&armed) {
        assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Wrong(armed.holder.clone()));
    }
    let answer = tokens.try_code(&CodeLookup::Owner(armed.holder.clone()), &digest("code", 7), NOW).await?;
    assert!(matches!(answer, CodeAttempt::Right(_)), "{answer:?}");
    Ok(())
}

async fn does_not_arm_a_newer_token_or_a_dead_one(tokens: &Tokens) -> Outcome {
    let realm = realm("User1");
    let newer = OneTimeToken { code: None, tries_left: 0, ..token(&realm, OTP, 1) };
    tokens.put(newer.clone()).await?;
    let code = digest("code", 7);
    assert!(!tokens.set_code(&newer.holder, &digest("older", 1), code, 5, NOW).await?);
    assert!(!tokens.set_code(&holder(&realm, OTP, 2), &newer.token, code, 5, NOW).await?);
    assert!(!tokens.set_code(&holder(&realm, Purpose::LoginMfa, 1), &newer.token, code, 5, NOW).await?);
    assert!(is_found(tokens, &newer, NOW).await?, "a refused arming changed it");
    assert!(!tokens.set_code(&newer.holder, &newer.token, code, 5, newer.expires_at).await?);
    Ok(())
}

async fn arming_gives_all_tries_anew(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    tokens.put(one.clone()).await?;
    let of = CodeLookup::Owner(one.holder.clone());
    for _ in 0..CODE_TRIES {
        tokens.try_code(&of, &digest("code", 2), NOW).await?;
    }
    assert!(tokens.set_code(&one.holder, &one.token, digest("code", 3), CODE_TRIES, NOW).await?);
    assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Wrong(one.holder.clone()));
    assert!(matches!(tokens.try_code(&of, &digest("code", 3), NOW).await?, CodeAttempt::Right(_)));
    Ok(())
}

async fn one_of_many_racing_right_codes_wins(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    tokens.put(one.clone()).await?;
    let answers = tokens.race(50, |tokens, n| try_one(tokens, &one, n, 1)).await?;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, CodeAttempt::Right(_))).count(), 1);
    assert_eq!(count(&answers, &CodeAttempt::Dead), 49);
    Ok(())
}

async fn never_more_than_the_tries_are_compared(tokens: &Tokens) -> Outcome {
    let one = token(&realm("User1"), OTP, 1);
    tokens.put(one.clone()).await?;
    let answers = tokens.race(50, |tokens, n| try_one(tokens, &one, n, n + 100)).await?;
    assert_eq!(count(&answers, &CodeAttempt::Wrong(one.holder.clone())), usize::from(CODE_TRIES));
    assert_eq!(count(&answers, &CodeAttempt::Dead), 50 - usize::from(CODE_TRIES));
    let of = CodeLookup::Owner(one.holder.clone());
    assert_eq!(tokens.try_code(&of, &digest("code", 1), NOW).await?, CodeAttempt::Dead);
    Ok(())
}

async fn a_racing_right_code_is_right_at_most_once(tokens: &Tokens) -> Outcome {
    for n in 0..10 {
        let one = token(&realm("User1"), OTP, n);
        tokens.put(one.clone()).await?;
        let guess = |runner: u64| if runner.is_multiple_of(3) { n } else { n + 100 };
        let answers = tokens.race(12, |tokens, runner| try_one(tokens, &one, runner, guess(runner))).await?;
        let right = answers.iter().filter(|answer| matches!(answer, CodeAttempt::Right(_))).count();
        let wrong = count(&answers, &CodeAttempt::Wrong(one.holder.clone()));
        assert!(right <= 1 && right + wrong <= usize::from(CODE_TRIES), "{right} right, {wrong} wrong");
        assert_eq!(tokens.find(&one.holder, NOW).await?.is_none(), right == 1);
    }
    Ok(())
}

/// One runner's try of the code `guess`, addressed this way or that.
fn try_one(
    tokens: Arc<Records<dyn OneTimeTokenStore>>,
    token: &OneTimeToken,
    runner: u64,
    guess: u64,
) -> impl Future<Output = Result<CodeAttempt, portcullis_core::ports::error::PortError>> + Send + use<> {
    let [by_token, by_holder] = addresses(token);
    let of = if runner.is_multiple_of(2) { by_token } else { by_holder };
    async move { tokens.try_code(&of, &digest("code", guess), NOW).await }
}
