//! The second factor of an undo link: a code to the phone that was on record before the change, where SMS was a factor
//! then. The challenge belongs to the undo record and not to the account, so that no change of the account ends it: a
//! thief in a session of the account must not keep its owner from the link.

use crate::model::event::EventKind;
use crate::model::factor::FactorMethod;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::model::undo::{FormerState, UndoRecord};
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::one_time_token_store::{CodeAttempt, CodeLookup};
use crate::service::{AuthService, Ports};
use crate::use_cases::recovery::Recovery;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::FactorAnswer;
use crate::use_cases::shared::otp::FactorChallenge;

impl AuthService {
    /// The owner of the challenges of an undo record.
    pub(crate) fn undo_challenge_owner(record: &UndoRecord) -> TokenOwner {
        Self::holder(&record.realm, Purpose::Undo, UserId::from_bytes(*record.id.as_bytes()))
    }
}

impl Recovery<'_> {
    /// Asks for a code to the phone that was on record before the change. Returns its challenge; an older one is dead.
    ///
    /// # Errors
    /// `InvalidToken` for a link that is not good, or that has no tries left; `PhoneNotVerified` where SMS was no second
    /// factor.
    pub async fn send_undo_code(self, realm: &Realm, token: &str) -> Result<FactorChallenge, AuthError> {
        let (record, _, user) = self.find_undo(realm, token).await?;
        let former = self.service.former_state(&user, &record)?;
        if !former.has_second_factor() {
            return Err(AuthError::PhoneNotVerified);
        }
        if record.tries_left == 0 {
            return Err(AuthError::InvalidToken);
        }
        let binding = self.service.token_binding(realm, Purpose::Undo, former.phone.as_bytes(), record.version);
        let (holder, lifetime) = (AuthService::undo_challenge_owner(&record), self.service.policy.lifetimes.otp);
        let (token, stored) = self.service.new_one_time_token(holder, Some(*binding.newest()), lifetime);
        let task = Task::SendUndoCode { user: user.id, record: record.id, challenge: stored.token };
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, task)],
            events: vec![self.service.event(realm, EventKind::MfaChallenged, Some(user.id), None)],
            ..UnitOfWork::of(Change::PutToken(Box::new(stored)))
        };
        self.service.commit(work).await?;
        Ok(FactorChallenge { token, methods: vec![FactorMethod::Sms], passkey_options: None })
    }

    /// Compares a code. A wrong one takes one of the tries of the link, like a wrong password: more challenges give no
    /// more guesses. An answer without a living challenge of this link takes no try.
    pub(super) async fn confirm_undo_code(
        self,
        record: &UndoRecord,
        former: &FormerState,
        answer: FactorAnswer<'_>,
    ) -> Result<OneTimeToken, AuthError> {
        let Ports { undos, one_time_tokens, clock, .. } = &self.service.ports;
        let (realm, purpose, now) = (&record.realm, Purpose::Undo, clock.now());
        let token = answer.challenge.and_then(OpaqueToken::parse).ok_or(AuthError::InvalidToken)?;
        let code = TypedCode::parse_digits(answer.response).ok_or(AuthError::InvalidToken)?;
        let waiting = self.service.find_token(realm, purpose, &token, now).await?;
        let binding = self.service.token_binding(realm, purpose, former.phone.as_bytes(), record.version);
        let waiting = waiting.filter(|waiting| {
            waiting.holder == AuthService::undo_challenge_owner(record)
                && waiting.binding.is_some_and(|stored| binding.has(&stored))
        });
        let waiting = waiting.ok_or(AuthError::InvalidToken)?;
        let Some(stored) = waiting.code else { return Err(AuthError::InvalidToken) };
        if !undos.take_try(realm, &record.id, now).await? {
            return Err(AuthError::InvalidToken);
        }
        let digests = self.service.code_digest(realm, purpose, &waiting.holder.subject, &code);
        let of = CodeLookup::Token(realm.clone(), purpose, waiting.token);
        let attempt = one_time_tokens.try_code(&of, digests.like(&stored), now).await;
        if !matches!(attempt, Ok(CodeAttempt::Wrong(_))) {
            undos.give_try_back(realm, &record.id).await?;
        }
        match attempt? {
            CodeAttempt::Right(token) => Ok(token),
            CodeAttempt::Wrong(_) => {
                self.service.record(realm, EventKind::OtpFailed, Some(record.user), None);
                Err(AuthError::InvalidToken)
            }
            CodeAttempt::Dead => Err(AuthError::InvalidToken),
        }
    }
}
