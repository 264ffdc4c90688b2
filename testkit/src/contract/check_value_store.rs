//! Contract cases of the check value store.

use std::sync::Arc;

use super::{Case, Outcome, Setup};
use portcullis_core::ports::check_value_store::CheckValueStore;

type Checks = Setup<dyn CheckValueStore>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn CheckValueStore>> {
    cases![
        the_first_value_of_a_name_stays,
        replaces_the_expected_value_only,
        of_many_racing_inserts_all_get_the_same_value,
        one_of_many_racing_replacements_wins,
    ]
}

async fn the_first_value_of_a_name_stays(checks: &Checks) -> Outcome {
    assert_eq!(checks.check_value("one").await?, None);
    assert_eq!(checks.check_value_or_insert("one", b"first").await?, b"first");
    assert_eq!(checks.check_value_or_insert("one", b"second").await?, b"first");
    assert_eq!(checks.check_value_or_insert("two", b"").await?, b"");
    assert_eq!(checks.check_value("one").await?, Some(b"first".to_vec()));
    assert_eq!(checks.check_value("two").await?, Some(Vec::new()));
    Ok(())
}

async fn replaces_the_expected_value_only(checks: &Checks) -> Outcome {
    assert!(!checks.replace_check_value("one", b"", b"new").await?);
    assert_eq!(checks.check_value("one").await?, None);
    checks.check_value_or_insert("one", b"old").await?;
    assert!(!checks.replace_check_value("one", b"other", b"new").await?);
    assert_eq!(checks.check_value("one").await?, Some(b"old".to_vec()));
    assert!(checks.replace_check_value("one", b"old", b"new").await?);
    assert_eq!(checks.check_value("one").await?, Some(b"new".to_vec()));
    Ok(())
}

async fn of_many_racing_inserts_all_get_the_same_value(checks: &Checks) -> Outcome {
    let insert = |checks: Arc<dyn CheckValueStore>, n: u64| async move {
        checks.check_value_or_insert("one", &n.to_be_bytes()).await
    };
    let answers = checks.race(20, insert).await?;
    let stored = checks.check_value("one").await?;
    assert!(answers.iter().all(|answer| Some(answer) == stored.as_ref()), "{answers:?}");
    Ok(())
}

async fn one_of_many_racing_replacements_wins(checks: &Checks) -> Outcome {
    checks.check_value_or_insert("one", b"old").await?;
    let replace = |checks: Arc<dyn CheckValueStore>, n: u64| async move {
        Ok((checks.replace_check_value("one", b"old", &n.to_be_bytes()).await?, n))
    };
    let answers = checks.race(20, replace).await?;
    let won: Vec<u64> = answers.into_iter().filter(|(replaced, _)| *replaced).map(|(_, n)| n).collect();
    let [winner] = *won else { return Err(format!("{} of them won", won.len()).into()) };
    assert_eq!(checks.check_value("one").await?, Some(winner.to_be_bytes().to_vec()));
    Ok(())
}
