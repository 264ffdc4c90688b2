//! What keeps texts and calls from costing a fortune: countries, cool-downs, ranges, days, and texts that nobody
//! answers. Refusals never show in an answer, for they would tell who has an account; only the country does, which
//! depends on nothing but the number that was typed.

use crate::model::code::{Code, Violation};
use crate::model::country::Country;
use crate::model::job::Job;
use crate::model::one_time_token::Purpose;
use crate::model::phone::Phone;
use crate::model::quota::{Bucket, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::service::AuthService;
use crate::use_cases::errors::StoryError;

/// Digits that tell the numbers of one range apart.
const WITHIN_A_RANGE: usize = 4;

/// Why a text or call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextRefusal {
    /// The number's country is not served.
    Country,
    /// Too many to the number just now.
    CoolDown,
    /// Too many to the number today.
    Number,
    /// Too many to the numbers beside it.
    Prefix,
    /// Too many to the numbers beside it that nobody answered.
    Unanswered,
    /// Too many altogether.
    Altogether,
}

impl TextRefusal {
    /// Its stable name, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::CoolDown => "cool_down",
            Self::Number => "number",
            Self::Prefix => "prefix",
            Self::Unanswered => "unanswered",
            Self::Altogether => "altogether",
        }
    }
}

impl AuthService {
    /// That the country of a number is served, whoever's number it is.
    pub(crate) fn demand_served_country(&self, e164: &str) -> Result<(), StoryError> {
        if self.is_served(e164) {
            return Ok(());
        }
        Err(StoryError::Invalid(vec![Violation::new("phone", Code::PhoneCountryNotServed)]))
    }

    /// By the number's own digits: what its owner says of its country costs nothing to say.
    fn is_served(&self, e164: &str) -> bool {
        let Some(countries) = &self.policy.texts.countries else { return true };
        let country = e164.strip_prefix('+').and_then(Country::of_digits);
        // what leads to no country is no number, and gets nothing anyway
        country.is_none_or(|country| countries.contains(&country))
    }

    /// Takes one from every bucket a text fills; `Some` is why it must not go out. A retry has been counted already.
    /// Only numbers that are yet to be proven are held back for what others do: a login waits for none but its owner.
    pub(crate) async fn may_text(
        &self,
        job: &Job,
        purpose: Purpose,
        phone: &Phone,
    ) -> Result<Option<TextRefusal>, PortError> {
        let unproven = purpose == Purpose::VerifyPhone;
        if unproven && !self.is_served(phone.as_str()) {
            return Ok(Some(TextRefusal::Country));
        }
        if job.attempts > 1 {
            return Ok(None);
        }
        let mut taken = Vec::new();
        for (refusal, bucket, quota) in self.text_buckets(&job.realm, phone) {
            let decision = self.take(&bucket, &quota).await?;
            let others = matches!(refusal, TextRefusal::Prefix | TextRefusal::Unanswered | TextRefusal::Altogether);
            if decision.is_none_or(|decision| decision.allowed) {
                taken.push((bucket, quota));
            } else if unproven || !others {
                for (bucket, quota) in taken {
                    self.give_back(&bucket, &quota).await?;
                }
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    /// A code came back: the text was no waste. Whoever typed it does not wait for a limiter that is away.
    pub(crate) async fn text_was_answered(&self, user: &User) -> Result<(), PortError> {
        let phone = self.opener_of(user)?.phone(&user.person)?;
        let (bucket, quota) = self.unanswered(&user.realm, &phone);
        let _ = self.give_back(&bucket, &quota).await;
        Ok(())
    }

    fn text_buckets(&self, realm: &Realm, phone: &Phone) -> [(TextRefusal, Bucket, Quota); 5] {
        let guard = &self.policy.texts;
        let number = self.phone_digest(realm, phone.as_str());
        let bucket = |operation: &'static str, who: Digest| Bucket { realm: realm.clone(), operation, who };
        let (unanswered, of_unanswered) = self.unanswered(realm, phone);
        let everyone = self.phone_digest(realm, "");
        [
            (TextRefusal::CoolDown, bucket("text_at_once", number), guard.cool_down),
            (TextRefusal::Number, bucket("text_a_day", number), guard.of_a_number),
            (TextRefusal::Prefix, bucket("text_prefix", self.range(realm, phone)), guard.of_a_prefix),
            (TextRefusal::Unanswered, unanswered, of_unanswered),
            (TextRefusal::Altogether, bucket("text_altogether", everyone), guard.altogether),
        ]
    }

    fn unanswered(&self, realm: &Realm, phone: &Phone) -> (Bucket, Quota) {
        let who = self.range(realm, phone);
        (Bucket { realm: realm.clone(), operation: "text_unanswered", who }, self.policy.texts.unanswered)
    }

    /// All numbers that agree in everything but their last digits.
    fn range(&self, realm: &Realm, phone: &Phone) -> Digest {
        let kept = phone.as_str().len().saturating_sub(WITHIN_A_RANGE);
        self.phone_digest(realm, phone.as_str().get(..kept).unwrap_or_default())
    }
}
