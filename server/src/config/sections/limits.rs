//! The rate limits of docs/http-api.md, and the operator's own.

use std::time::Duration;

use portcullis_core::model::country::Country;
use portcullis_core::model::quota::Quota;
use portcullis_core::policy::{Policy, SmsQuotas};

use crate::config::RateLimits;
use crate::config::settings_reader::SettingsReader;
use crate::config::settings_registry::DEFAULT_LIMITS;

/// A token bucket: `burst` units, refilled evenly over `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateQuota {
    /// Requests at once.
    pub burst: u32,
    /// The time in which an empty bucket becomes full.
    pub period: Duration,
}

/// The default quota of a limit; 100 an hour for an unknown name.
pub fn default_quota(row: &str) -> RateQuota {
    let found = DEFAULT_LIMITS.iter().find(|(name, ..)| *name == row);
    let (burst, unit) = found.map_or((100, "h"), |(_, burst, unit)| (*burst, *unit));
    RateQuota { burst, period: unit_of(unit).unwrap_or(Duration::from_secs(3600)) }
}

/// A unit of time, or a multiple as in `5min`.
fn unit_of(text: &str) -> Option<Duration> {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (count, unit) = text.split_at_checked(text.len() - letters.len())?;
    let count: u64 =
        if count.is_empty() { 1 } else { count.parse().ok().filter(|count| (1..=100_000).contains(count))? };
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" | "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count * seconds))
}

fn quota(text: &str) -> Result<RateQuota, String> {
    let refused = || format!("\"{text}\" is no limit");
    let (burst, unit) = text.split_once('/').ok_or_else(refused)?;
    let burst = burst.parse::<u32>().ok().filter(|burst| (1..=1_000_000).contains(burst)).ok_or_else(refused)?;
    Ok(RateQuota { burst, period: unit_of(unit).ok_or_else(refused)? })
}

const QUOTA_FIX: &str = "write it as 5/min or 3/10min; units are s, min, h and day";

/// The quotas of SMS and calls.
pub(super) fn texts(reader: &mut SettingsReader) -> SmsQuotas {
    let default = Policy::default().texts;
    let mut of = |name: &str, default: Quota| {
        let set = reader.parsed(name, QUOTA_FIX, quota);
        set.map_or(default, |quota| Quota::new(quota.burst, quota.period))
    };
    SmsQuotas {
        per_account: of("SMS_PER_ACCOUNT", default.per_account),
        cool_down: of("SMS_COOL_DOWN", default.cool_down),
        per_number: of("SMS_PER_NUMBER", default.per_number),
        of_a_prefix: of("SMS_PER_PREFIX", default.of_a_prefix),
        unanswered: of("SMS_UNANSWERED", default.unanswered),
        per_realm: of("SMS_DAILY_CAP", default.per_realm),
        of_logins: of("SMS_LOGIN_DAILY_CAP", default.of_logins),
        countries: countries(reader),
    }
}

fn countries(reader: &mut SettingsReader) -> Option<Vec<Country>> {
    let named = super::list(reader, "SMS_COUNTRIES")?;
    if named.iter().any(|name| name.eq_ignore_ascii_case("all")) {
        return None;
    }
    let mut countries = Vec::new();
    for name in named {
        if let Ok(country) = Country::parse(&name) {
            if !country.is_told_by_digits() {
                let fix = "name the country whose numbers they are among, as GB for JE";
                reader.refuse(
                    "SMS_COUNTRIES",
                    &format!("numbers of {name} cannot be told from another country's"),
                    fix,
                );
            }
            countries.push(country);
        } else {
            let what = format!("\"{name}\" is no ISO 3166-1 alpha-2 code");
            reader.refuse("SMS_COUNTRIES", &what, "write it as US,DE, or all");
        }
    }
    Some(countries)
}

pub(super) fn limits(reader: &mut SettingsReader) -> RateLimits {
    let mut changed = Vec::new();
    for (row, ..) in DEFAULT_LIMITS {
        let name = format!("RATE_LIMIT_{}", row.to_ascii_uppercase());
        changed.extend(reader.parsed(&name, QUOTA_FIX, quota).map(|quota| (*row, quota)));
    }
    RateLimits { enabled: reader.choice("RATE_LIMITS", true, &[("on", true), ("off", false)]), changed }
}
