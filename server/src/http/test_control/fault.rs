//! A fault of `PUT /__test__/faults`.

use std::num::NonZeroU64;
use std::time::Duration;

use portcullis_testkit::faults::{Script, When};
use serde::Deserialize;
use serde_json::Value;

/// Ports that are not faked in a test kit.
const REAL: [&str; 2] = ["token_signer", "breached_passwords"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    port: Option<String>,
    method: Option<String>,
    nth: Option<NonZeroU64>,
    times: Option<NonZeroU64>,
    probability: Option<f64>,
    seed: Option<u64>,
    when: Option<Moment>,
    delay_seconds: Option<NonZeroU64>,
}

/// Whether a call fails before or after its effect.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Moment {
    Before,
    After,
}

/// Parses a fault.
///
/// # Errors
/// The problem with the fault.
pub fn script(fault: &Value) -> Result<Script, String> {
    let fault = Fault::deserialize(fault).map_err(|error| error.to_string())?;
    let mut script = Script::next().nth(fault.nth.map_or(1, NonZeroU64::get));
    if let Some(port) = fault.port {
        if REAL.contains(&port.as_str()) {
            return Err(format!("{port} is not faked here and can't fail"));
        }
        script = script.port(port);
    }
    if let Some(method) = fault.method {
        script = script.method(method);
    }
    script = match (fault.probability, fault.seed) {
        (None, None) => script,
        (Some(share), seed) if (0.0..=1.0).contains(&share) => script.chance(share, seed.unwrap_or(0)),
        (Some(_), _) => return Err("probability must be between 0 and 1".to_owned()),
        (None, Some(_)) => return Err("seed needs a probability".to_owned()),
    };
    if let Some(times) = fault.times {
        script = script.times(times.get());
    }
    script = match (fault.when, fault.delay_seconds.map(NonZeroU64::get)) {
        (Some(_), Some(_)) => return Err("a delayed call does not fail: give when or delay_seconds".to_owned()),
        (None, Some(86_401..)) => return Err("delay_seconds must be no more than a day".to_owned()),
        (None, Some(seconds)) => script.takes(Duration::from_secs(seconds)),
        (Some(Moment::After), None) => script.breaks(When::After),
        (Some(Moment::Before) | None, None) => script.breaks(When::Before),
    };
    script.check().map(|()| script)
}
