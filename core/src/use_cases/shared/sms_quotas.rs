//! Quotas that limit the cost of SMS and calls: by country, cool-down, number range and day, and for codes that are
//! never entered. A response never shows a refusal, because it would disclose whether an account exists. Only the
//! refusal of a country shows: it depends on the typed number alone.

use crate::model::code::{Code, Violation};
use crate::model::country::Country;
use crate::model::one_time_token::Purpose;
use crate::model::phone::Phone;
use crate::model::quota::{Bucket, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::undo::UndoRecord;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::service::AuthService;
use crate::use_cases::shared::errors::AuthError;

/// Digits that tell the numbers of one range apart.
const WITHIN_A_RANGE: usize = 4;

/// Why a text or call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmsDenied {
    /// The number's country is not served.
    Country,
    /// Too many for the account today.
    Account,
    /// Too many to the number just now.
    CoolDown,
    /// Too many to the number today.
    Number,
    /// Too many to the numbers of the same range.
    Prefix,
    /// Too many to the numbers of the same range without a code coming back.
    Unanswered,
    /// Too many in the realm.
    Altogether,
}

impl SmsDenied {
    /// Its stable name, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Account => "account",
            Self::CoolDown => "cool_down",
            Self::Number => "number",
            Self::Prefix => "prefix",
            Self::Unanswered => "unanswered",
            Self::Altogether => "altogether",
        }
    }
}

impl AuthService {
    /// Checks that the country of a number is served, whether or not an account has the number.
    pub(crate) fn ensure_sms_country_allowed(&self, e164: &str) -> Result<(), AuthError> {
        if self.is_served(e164) {
            return Ok(());
        }
        Err(AuthError::Invalid(vec![Violation::new("phone", Code::PhoneCountryNotServed)]))
    }

    /// By the number's own digits: what its owner says of its country costs nothing to say.
    fn is_served(&self, e164: &str) -> bool {
        let Some(countries) = &self.policy.texts.countries else { return true };
        let country = e164.strip_prefix('+').and_then(Country::of_digits);
        // what leads to no country is no number, and gets nothing anyway
        country.is_none_or(|country| countries.contains(&country))
    }

    /// Takes one token from every bucket that counts an SMS; `Some` is the reason why it must not be sent. `counted` is
    /// an SMS that an earlier try has counted already.
    ///
    /// An SMS for a login is counted by its account alone: it took the right password, and no stranger who asks for
    /// texts to the same number, to a range or at all keeps its owner out.
    pub(crate) async fn check_sms_quota(
        &self,
        user: &User,
        purpose: Purpose,
        phone: &Phone,
        counted: bool,
    ) -> Result<Option<SmsDenied>, PortError> {
        let unproven = purpose == Purpose::VerifyPhone;
        if unproven && !self.is_served(phone.as_str()) {
            return Ok(Some(SmsDenied::Country));
        }
        if counted {
            return Ok(None);
        }
        let account = self.account_digest(user);
        self.take_texts(if unproven {
            self.buckets_of_a_proof(user, phone)
        } else {
            self.buckets_of_a_factor(
                &user.realm,
                ["text_login_at_once", "text_login_a_day", "text_login_number"],
                account,
                phone,
            )
        })
        .await
    }

    /// The same for a text that an undo link asks for. It is counted by the undo record and not by the account, and in a
    /// count of the number of its own: a thief who has spent the texts of the account does not keep its owner from the link.
    pub(crate) async fn check_undo_sms_quota(
        &self,
        record: &UndoRecord,
        phone: &Phone,
        counted: bool,
    ) -> Result<Option<SmsDenied>, PortError> {
        if counted {
            return Ok(None);
        }
        let who = self.ports.digests.digest(Domain::Phone, &record.realm, &[b"undo", record.id.as_bytes()]);
        let operations = ["text_undo_at_once", "text_undo_a_day", "text_undo_number"];
        self.take_texts(self.buckets_of_a_factor(&record.realm, operations, who, phone)).await
    }

    /// Takes one from each bucket, or none.
    async fn take_texts(&self, buckets: Vec<(SmsDenied, Bucket, Quota)>) -> Result<Option<SmsDenied>, PortError> {
        let mut taken = Vec::new();
        for (refusal, bucket, quota) in buckets {
            let decision = self.take(&bucket, &quota).await;
            if let Ok(decision) = &decision
                && decision.is_none_or(|decision| decision.allowed)
            {
                taken.push((bucket, quota));
                continue;
            }
            for (bucket, quota) in taken {
                self.give_back(&bucket, &quota).await?;
            }
            return decision.map(|_| Some(refusal));
        }
        Ok(None)
    }

    /// The code of a proof came back: the SMS was answered. An unavailable limiter does not fail the request.
    pub(crate) async fn refund_unanswered_quota(&self, user: &User) -> Result<(), PortError> {
        let phone = self.record_cipher(user)?.phone(&user.person)?;
        let (_, bucket, quota) = self.unanswered(&user.realm, &phone);
        let _ = self.give_back(&bucket, &quota).await;
        Ok(())
    }

    /// The account's own come first: an account that has exhausted them takes nothing from the shared ones.
    fn buckets_of_a_proof(&self, user: &User, phone: &Phone) -> Vec<(SmsDenied, Bucket, Quota)> {
        let (guard, realm) = (&self.policy.texts, &user.realm);
        let number = self.phone_digest(realm, phone.as_str());
        let everyone = self.phone_digest(realm, "");
        let bucket = |operation: &'static str, who: Digest| Bucket { realm: realm.clone(), operation, who };
        vec![
            (SmsDenied::Account, bucket("text_account", self.account_digest(user)), guard.per_account),
            (SmsDenied::CoolDown, bucket("text_at_once", number), guard.cool_down),
            (SmsDenied::Number, bucket("text_a_day", number), guard.per_number),
            (SmsDenied::Prefix, bucket("text_prefix", self.range(realm, phone)), guard.of_a_prefix),
            self.unanswered(realm, phone),
            (SmsDenied::Altogether, bucket("text_altogether", everyone), guard.per_realm),
        ]
    }

    /// By account, and by number: only accounts with a proven number fill that, so that strangers lock no owner out.
    fn buckets_of_a_factor(
        &self,
        realm: &Realm,
        [at_once, a_day, of_number]: [&'static str; 3],
        account: Digest,
        phone: &Phone,
    ) -> Vec<(SmsDenied, Bucket, Quota)> {
        let guard = &self.policy.texts;
        let bucket = |operation: &'static str, who: Digest| Bucket { realm: realm.clone(), operation, who };
        let number = self.phone_digest(realm, phone.as_str());
        vec![
            (SmsDenied::CoolDown, bucket(at_once, account), guard.cool_down),
            (SmsDenied::Account, bucket(a_day, account), guard.per_number),
            (SmsDenied::Number, bucket(of_number, number), guard.per_number),
            (SmsDenied::Altogether, bucket("text_login_altogether", self.phone_digest(realm, "")), guard.of_logins),
        ]
    }

    fn unanswered(&self, realm: &Realm, phone: &Phone) -> (SmsDenied, Bucket, Quota) {
        let who = self.range(realm, phone);
        let bucket = Bucket { realm: realm.clone(), operation: "text_unanswered", who };
        (SmsDenied::Unanswered, bucket, self.policy.texts.unanswered)
    }

    /// All numbers that agree in everything but their last digits.
    fn range(&self, realm: &Realm, phone: &Phone) -> Digest {
        let kept = phone.as_str().len().saturating_sub(WITHIN_A_RANGE);
        self.phone_digest(realm, phone.as_str().get(..kept).unwrap_or_default())
    }
}
