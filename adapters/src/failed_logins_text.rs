//! Failed logins of an e-mail as the text that a store has.

use portcullis_core::model::login_throttle::{FailedLogins, FailureCount};
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use serde_json::{Value, json};

use crate::job_text::{hex, unhex};

/// Failed logins as text.
pub fn print(failed: &FailedLogins) -> String {
    let FailedLogins { failures, full_at, touched_at, strangers, known } = failed;
    let (full_at, touched_at) = (full_at.as_millis(), touched_at.as_millis());
    let strangers: Vec<Value> = strangers.iter().map(print_count).collect();
    let known: Vec<Value> = known.iter().map(print_count).collect();
    json!([failures, full_at, touched_at, strangers, known]).to_string()
}

fn print_count((place, count): &(Digest, FailureCount)) -> Value {
    json!([hex(place), count.failures, count.next_at.as_millis(), count.touched_at.as_millis()])
}

/// Failed logins from their text; `None` where it is not one.
pub fn parse(text: &str) -> Option<FailedLogins> {
    let value: Value = serde_json::from_str(text).ok()?;
    let [failures, full_at, touched_at, strangers, known] = value.as_array()?.as_slice() else { return None };
    let counts = |all: &Value| all.as_array()?.iter().map(parse_count).collect::<Option<Vec<_>>>();
    Some(FailedLogins {
        failures: failures.as_u64()?.try_into().ok()?,
        full_at: time(full_at)?,
        touched_at: time(touched_at)?,
        strangers: counts(strangers)?,
        known: counts(known)?,
    })
}

fn parse_count(value: &Value) -> Option<(Digest, FailureCount)> {
    let [place, failures, next_at, touched_at] = value.as_array()?.as_slice() else { return None };
    let failures = failures.as_u64()?.try_into().ok()?;
    Some((unhex(place.as_str()?)?, FailureCount { failures, next_at: time(next_at)?, touched_at: time(touched_at)? }))
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_i64().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_were_written() {
        let count = |n: u8| {
            let at = Timestamp::from_millis(n.into());
            (Digest::from_bytes([n; 32]), FailureCount { failures: n.into(), next_at: at, touched_at: at })
        };
        let failed = FailedLogins {
            failures: u32::MAX,
            full_at: Timestamp::from_millis(-1),
            touched_at: Timestamp::from_millis(2),
            strangers: vec![count(3), count(4)],
            known: vec![count(5)],
        };
        assert_eq!(parse(&print(&failed)), Some(failed));
        assert_eq!(parse(&print(&FailedLogins::default())), Some(FailedLogins::default()));
        assert_eq!((parse("[1,2]"), parse("no json")), (None, None));
    }
}
