//! Passkeys: added, used, and removed.

use std::time::Duration;

use super::{EMAIL, PASSWORD, Play};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::passkey::{MAX_PASSKEYS, PasskeyName};
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::use_cases::factors::add_passkey::AddedPasskey;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::fakes::passkey_verifier::{new_passkey, signature};
use portcullis_testkit::race::block_on;

impl Play {
    fn name(text: &str) -> PasskeyName {
        PasskeyName::parse(text).unwrap()
    }

    /// Adds a passkey with that credential id.
    pub fn adds_passkey(&self, pair: &TokenPair, credential: &str) -> Result<AddedPasskey, AuthError> {
        let factors = self.service.factors();
        let begun = block_on(factors.begin_passkey(&self.caller(pair)?, Reauthentication::None))?;
        let response = new_passkey(&begun.token, credential, true);
        let token = begun.token.expose();
        block_on(factors.add_passkey(&self.caller(pair)?, &token, &response, Self::name("Laptop")))
    }

    /// Logs in with a passkey whose counter stands there.
    pub fn logs_in_by_passkey(&self, credential: &str, user: UserId, counter: u32) -> Result<TokenPair, AuthError> {
        let logins = self.service.logins();
        let begun = block_on(logins.begin_passkey_login(&self.realm))?;
        let response = signature(&begun.token, credential, Some(user), counter);
        block_on(logins.log_in_with_passkey(&self.realm, &begun.token.expose(), &response, &self.client))
    }

    fn events(&self, kind: EventKind) -> usize {
        self.world.audit.all().iter().filter(|event| event.kind == kind).count()
    }
}

#[test]
fn a_passkey_logs_in_without_a_password_and_its_counter_moves_with_the_session() {
    let play = Play::new();
    let pair = play.user();
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    let added = play.adds_passkey(&pair, "one").unwrap();
    assert_eq!(added.backup_codes.map(|codes| codes.len()), Some(10));
    assert!(play.caller(&other).is_err(), "every other session has ended");
    assert_eq!(play.events(EventKind::PasskeyAdded), 1);
    play.deliver();
    assert!(play.world.mailer.templates().contains(&"mfa_changed"));
    let session = play.logs_in_by_passkey("one", pair.user, 3).unwrap();
    let caller = play.caller(&session).unwrap();
    assert_eq!((caller.claims.methods.amr(), caller.claims.methods.acr()), (vec!["swk", "user", "mfa"], "phr"));
    assert!(caller.claims.methods.has_factor_beyond_sms());
    let stored = play.service.factors().list_passkeys(&caller).unwrap();
    assert_eq!(stored[0].last_used_at, Some(play.world.clock.now()));
    assert_eq!(stored[0].credential.data, b"3");
    for counter in [3, 2] {
        assert!(matches!(play.logs_in_by_passkey("one", pair.user, counter), Err(AuthError::InvalidPasskey)));
    }
    assert!(matches!(play.logs_in_by_passkey("two", pair.user, 9), Err(AuthError::InvalidPasskey)));
    assert!(matches!(play.logs_in_by_passkey("one", UserId::from_bytes([1; 16]), 9), Err(AuthError::InvalidPasskey)));
    assert_eq!(play.events(EventKind::LoginFailed), 1, "no account");
    assert_eq!(play.events(EventKind::OtpFailed), 3, "a passkey of the account was refused");
    assert!(play.logs_in_by_passkey("one", pair.user, 4).is_ok());
}

#[test]
fn a_disabled_account_logs_in_with_no_passkey() {
    let play = Play::new();
    let pair = play.user();
    let _ = play.adds_passkey(&pair, "one").unwrap();
    block_on(play.service.operators().disable(&play.realm, EMAIL)).unwrap();
    assert!(matches!(play.logs_in_by_passkey("one", pair.user, 1), Err(AuthError::InvalidPasskey)));
}

#[test]
fn a_challenge_of_a_new_passkey_is_good_in_its_session_for_five_minutes() {
    let play = Play::new();
    let pair = play.user();
    let other = play.log_in(EMAIL, PASSWORD).unwrap();
    let factors = play.service.factors();
    let begin = || block_on(factors.begin_passkey(&play.caller(&pair).unwrap(), Reauthentication::None)).unwrap();
    let finish = |pair: &TokenPair, token: &str, response: &str| {
        block_on(factors.add_passkey(&play.caller(pair).unwrap(), token, response, Play::name("x"))).map(|_| ())
    };
    let (older, begun) = (begin(), begin());
    assert!(begun.options.contains("ada@example.com") && begun.options.contains("Ada Lovelace"), "{}", begun.options);
    let (token, response) = (begun.token.expose(), new_passkey(&begun.token, "one", false));
    let old = new_passkey(&older.token, "one", false);
    assert!(
        matches!(finish(&pair, &older.token.expose(), &old), Err(AuthError::InvalidToken)),
        "a newer one replaced it"
    );
    assert!(matches!(finish(&other, &token, &response), Err(AuthError::InvalidToken)), "another session");
    assert!(matches!(finish(&pair, &token, &old), Err(AuthError::InvalidToken)), "over another challenge");
    play.world.clock.advance(Duration::from_secs(300));
    assert!(matches!(finish(&pair, &token, &response), Err(AuthError::InvalidToken)), "expired");
    let begun = begin();
    let response = new_passkey(&begun.token, "one", false);
    assert!(finish(&pair, &begun.token.expose(), &response).is_ok());
    play.world.clock.advance(Duration::from_secs(901));
    let late = block_on(factors.begin_passkey(&play.caller(&pair).unwrap(), Reauthentication::None));
    assert!(matches!(late, Err(AuthError::ReauthenticationRequired)));
}

#[test]
fn an_account_has_ten_passkeys_at_most_and_none_twice() {
    let play = Play::new();
    let pair = play.user();
    let _ = play.adds_passkey(&pair, "key-0").unwrap();
    let session = play.logs_in_by_passkey("key-0", pair.user, 0).unwrap();
    assert!(matches!(play.adds_passkey(&session, "key-0"), Err(AuthError::PasskeyKnown)));
    for n in 1..MAX_PASSKEYS {
        let added = play.adds_passkey(&session, &format!("key-{n}")).unwrap();
        assert!(added.backup_codes.is_none(), "the account has codes");
    }
    assert!(matches!(play.adds_passkey(&session, "one more"), Err(AuthError::PasskeyLimit)));
    assert_eq!(play.service.factors().list_passkeys(&play.caller(&session).unwrap()).unwrap().len(), MAX_PASSKEYS);
}

#[test]
fn a_removed_passkey_opens_nothing_and_the_last_one_takes_the_backup_codes_along() {
    let play = Play::new();
    let pair = play.user();
    let added = play.adds_passkey(&pair, "one").unwrap();
    let factors = play.service.factors();
    let remove = |pair: &TokenPair| {
        block_on(factors.remove_passkey(&play.caller(pair).unwrap(), added.passkey.id, Reauthentication::None))
    };
    assert!(matches!(remove(&pair), Err(AuthError::ReauthenticationRequired)), "the session has shown no factor");
    let session = play.logs_in_by_passkey("one", pair.user, 1).unwrap();
    let renamed =
        block_on(factors.rename_passkey(&play.caller(&session).unwrap(), added.passkey.id, &Play::name("Phone")));
    assert_eq!(renamed.unwrap().name, Play::name("Phone"));
    assert!(remove(&session).is_ok());
    assert!(matches!(remove(&session), Err(AuthError::NotFound)));
    assert_eq!(play.events(EventKind::PasskeyRemoved), 1);
    let caller = play.caller(&session).unwrap();
    assert!(!caller.user.has_second_factor() && caller.user.factors.backup_codes.is_none());
    assert!(matches!(play.logs_in_by_passkey("one", pair.user, 2), Err(AuthError::InvalidPasskey)));
    assert!(play.log_in(EMAIL, PASSWORD).is_ok(), "the password alone again");
}

#[test]
fn a_passkey_answers_the_challenge_of_a_password_login_once() {
    let play = Play::new();
    let pair = play.user();
    let _ = play.adds_passkey(&pair, "one").unwrap();
    let challenge = play.factor_challenge();
    assert_eq!(challenge.methods, [FactorMethod::Passkey, FactorMethod::BackupCode]);
    assert_eq!(challenge.passkey_options.as_deref(), Some("get, allowed: one"));
    let answer = |user, counter| {
        let response = signature(&challenge.token, "one", user, counter);
        play.answers(&challenge, Some(FactorMethod::Passkey), &response)
    };
    assert!(answer(Some(UserId::from_bytes([9; 16])), 1).is_err(), "another account's");
    // an authenticator may leave the user out where the account is known
    let opened = answer(None, 1).unwrap();
    assert_eq!(play.caller(&opened).unwrap().claims.methods.amr(), ["pwd", "swk", "user", "mfa"]);
    assert!(matches!(answer(None, 2), Err(AuthError::InvalidToken)), "the challenge was used");
}
