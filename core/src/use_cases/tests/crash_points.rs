//! Stops between any two steps: every port call of every story fails once, before and after it did its work. What
//! was not acknowledged may or may not have happened; it never gives more power, and the person can go on.

use super::{EMAIL, OTHER, PASSWORD, Play};
use crate::testing::faults::When;
use crate::testing::race::block_on;
use crate::use_cases::errors::StoryError;
use crate::use_cases::tokens::TokenPair;
use crate::use_cases::update_profile::ProfileChanges;

/// Plays a story again and again, each time with another step failing, until no step was left to fail.
fn at_every_step(
    prepare: impl Fn() -> (Play, TokenPair),
    story: impl Fn(&Play, &TokenPair) -> bool,
    after: impl Fn(&Play, &TokenPair, bool),
) {
    for when in [When::Before, When::After] {
        let mut step = 1;
        loop {
            let (play, pair) = prepare();
            play.world.faults.clear();
            play.world.faults.fail_step(step, when);
            let acknowledged = story(&play, &pair);
            let tripped = play.world.faults.tripped() > 0;
            play.world.faults.clear();
            after(&play, &pair, acknowledged);
            if !tripped {
                assert!(acknowledged, "without a failure it succeeds");
                break;
            }
            step += 1;
            assert!(step < 60, "a story is shorter");
        }
    }
}

fn user() -> (Play, TokenPair) {
    let play = Play::new();
    let pair = play.user();
    (play, pair)
}

#[test]
fn verifying() {
    let prepare = || {
        let (play, pair) = user();
        play.register("bob@example.com").unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| play.verify(&play.link("mail_email_verify")).is_ok();
    at_every_step(prepare, story, |play, _, acknowledged| {
        let works = play.log_in("bob@example.com", PASSWORD).is_ok();
        assert!(works || !acknowledged, "what was acknowledged stays");
        if !works {
            // the link is good still, or a new one can be had
            if play.verify(&play.link("mail_email_verify")).is_err() {
                play.world.clock.advance(std::time::Duration::from_secs(61));
                block_on(play.service.resend_verification(&play.realm, "bob@example.com")).unwrap();
                play.deliver();
                play.verify(&play.link("mail_email_verify")).unwrap();
            }
            play.log_in("bob@example.com", PASSWORD).unwrap();
        }
    });
}

#[test]
fn resetting_a_password() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.request_reset(&play.realm, EMAIL)).unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.reset_password(&play.realm, &play.link("mail_password_reset"), OTHER)).is_ok()
    };
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in(EMAIL, OTHER).is_ok());
        assert!(old != new, "one password works, never both and never none");
        assert!(new || !acknowledged);
        // with the new password no token of the old one works, whatever was cut short
        assert_eq!(play.caller(pair).is_err(), new);
        assert_eq!(block_on(play.service.refresh(&play.realm, pair.refresh.expose())).is_err(), new);
    });
}

#[test]
fn changing_a_password() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.change_password(&caller, PASSWORD, OTHER, &play.client)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in(EMAIL, OTHER).is_ok());
        assert!(old != new);
        assert!(new || !acknowledged);
        assert_eq!(play.caller(pair).is_err(), new, "every session of the old password ends");
    });
}

#[test]
fn refreshing() {
    let story =
        |play: &Play, pair: &TokenPair| block_on(play.service.refresh(&play.realm, pair.refresh.expose())).is_ok();
    at_every_step(user, story, |play, pair, _| {
        // a lost reply logs nobody out
        let again = block_on(play.service.refresh(&play.realm, pair.refresh.expose())).unwrap();
        assert!(block_on(play.service.refresh(&play.realm, again.refresh.expose())).is_ok());
    });
}

#[test]
fn logging_out_everywhere() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.log_out_everywhere(&caller)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        assert!(play.caller(pair).is_err() || !acknowledged);
        play.log_in(EMAIL, PASSWORD).unwrap();
    });
}

#[test]
fn disabling() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.request_reset(&play.realm, EMAIL)).unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| block_on(play.service.disable(&play.realm, EMAIL)).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let disabled = play.log_in(EMAIL, PASSWORD).is_err();
        assert!(disabled || !acknowledged);
        // with the word all of it is dead, whatever was cut short
        assert_eq!(play.caller(pair).is_err(), disabled);
        assert_eq!(block_on(play.service.refresh(&play.realm, pair.refresh.expose())).is_err(), disabled);
        let link = play.link("mail_password_reset");
        assert_eq!(block_on(play.service.preview_reset(&play.realm, &link)).is_err(), disabled);
        // asked for again it is done, and nothing older comes back
        block_on(play.service.disable(&play.realm, EMAIL)).unwrap();
        assert!(play.world.sessions.all().is_empty());
        block_on(play.service.enable(&play.realm, EMAIL)).unwrap();
        assert!(play.caller(pair).is_err() && play.log_in(EMAIL, PASSWORD).is_ok());
        assert!(block_on(play.service.preview_reset(&play.realm, &link)).is_err());
    });
}

#[test]
fn enabling() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.disable(&play.realm, EMAIL)).unwrap();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| block_on(play.service.enable(&play.realm, EMAIL)).is_ok();
    at_every_step(prepare, story, |play, pair, acknowledged| {
        assert!(play.log_in(EMAIL, PASSWORD).is_ok() || !acknowledged);
        assert!(play.caller(pair).is_err());
        block_on(play.service.enable(&play.realm, EMAIL)).unwrap();
        assert!(play.log_in(EMAIL, PASSWORD).is_ok());
    });
}

#[test]
fn deleting() {
    let story = |play: &Play, pair: &TokenPair| {
        let Ok(caller) = play.caller(pair) else { return false };
        block_on(play.service.delete_account(&caller, Some(PASSWORD), &play.client)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        match play.caller(pair) {
            Ok(caller) => {
                assert!(!acknowledged);
                block_on(play.service.delete_account(&caller, None, &play.client)).unwrap();
            }
            Err(StoryError::NotAuthenticated) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(play.world.users.all().is_empty());
        assert!(matches!(play.log_in(EMAIL, PASSWORD), Err(StoryError::InvalidCredentials)));
    });
}

#[test]
fn changing_the_address() {
    let prepare = || {
        let (play, pair) = user();
        let to = ProfileChanges { email: Some("new@example.org"), ..Default::default() };
        block_on(play.service.update_profile(&play.caller(&pair).unwrap(), to, None, Vec::new())).unwrap();
        play.deliver();
        (play, pair)
    };
    let story = |play: &Play, _: &TokenPair| play.verify(&play.link("email_change_confirm")).is_ok();
    at_every_step(prepare, story, |play, _, acknowledged| {
        let (old, new) = (play.log_in(EMAIL, PASSWORD).is_ok(), play.log_in("new@example.org", PASSWORD).is_ok());
        assert!(old != new, "one address, never both and never none");
        assert!(new || !acknowledged);
    });
}
