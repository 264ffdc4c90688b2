//! Refresh tokens against a model of the rules in docs/http-api.md, over random interleavings of refresh, refresh
//! again, lost reply, theft, logout and reset.

use std::time::Duration;

use proptest::prelude::*;

use super::{EMAIL, OTHER, PASSWORD, Play};
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::race::block_on;

#[derive(Debug, Clone)]
enum Step {
    /// Presents the n-th newest token that was ever handed out.
    Present(usize),
    /// Presents the newest, and the reply gets lost.
    LoseReply,
    Wait(u64),
    LogOut,
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0usize..4).prop_map(Step::Present),
        2 => Just(Step::LoseReply),
        3 => prop_oneof![Just(1u64), Just(59), Just(60), Just(61), Just(3600)].prop_map(Step::Wait),
        1 => Just(Step::LogOut),
        1 => Just(Step::Reset),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A token in the model.
#[derive(Debug, Clone)]
struct Token {
    text: String,
    used: bool,
    tripwire: bool,
    successor: Option<usize>,
    rotated_at: u64,
}

#[derive(Debug)]
enum Expected {
    Fresh,
    Same(usize),
    Refused,
}

#[derive(Debug, Default)]
struct Model {
    tokens: Vec<Token>,
    now: u64,
    ended: bool,
}

impl Model {
    fn add(&mut self, text: String) -> usize {
        self.tokens.push(Token { text, used: false, tripwire: false, successor: None, rotated_at: 0 });
        self.tokens.len() - 1
    }

    fn present(&mut self, at: usize) -> Expected {
        let token = self.tokens[at].clone();
        if self.ended {
            return Expected::Refused;
        }
        if token.tripwire {
            self.ended = true;
            return Expected::Refused;
        }
        match token.successor {
            None => Expected::Fresh,
            Some(successor) if self.tokens[successor].used => {
                self.ended = true;
                Expected::Refused
            }
            Some(successor) if self.now - token.rotated_at < 60 => Expected::Same(successor),
            Some(successor) => {
                self.tokens[successor].tripwire = true;
                Expected::Fresh
            }
        }
    }

    fn rotated(&mut self, at: usize, text: String) {
        let successor = self.add(text);
        let now = self.now;
        let token = &mut self.tokens[at];
        (token.used, token.successor, token.rotated_at) = (true, Some(successor), now);
    }
}

fn present(play: &Play, model: &mut Model, at: usize, keep: bool) -> Result<(), TestCaseError> {
    let text = model.tokens[at].text.clone();
    let answer = block_on(play.service.sessions().refresh(&play.realm, &text));
    match (model.present(at), answer) {
        (Expected::Refused, Err(_)) => {}
        (Expected::Same(successor), Ok(pair)) => prop_assert_eq!(pair.refresh.expose(), &model.tokens[successor].text),
        (Expected::Fresh, Ok(pair)) => {
            let known = model.tokens.iter().any(|token| token.text == pair.refresh.expose());
            prop_assert!(!known, "a fresh token is a new one");
            let works = play.caller(&pair).is_ok();
            prop_assert!(works);
            // a lost reply is handed out all the same: the model knows what the client does not
            let _ = keep;
            model.rotated(at, pair.refresh.expose().to_owned());
        }
        (expected, answer) => prop_assert!(false, "{expected:?}, but {:?}", answer.map(|_| "tokens")),
    }
    Ok(())
}

fn check(play: &Play, model: &Model, newest: &TokenPair) -> Result<(), TestCaseError> {
    prop_assert_eq!(play.caller(newest).is_err(), model.ended, "access ends with the family");
    let live = model.tokens.iter().filter(|token| {
        block_on(play.service.sessions().introspect(&play.realm, &token.text)).expect("the stores work").is_some()
    });
    prop_assert_eq!(live.count(), usize::from(!model.ended), "one live branch, or none");
    Ok(())
}

/// Found by a mutation run: the version must change, or two concurrent exchanges would both succeed.
#[test]
fn an_exchange_moves_the_version_the_last_use_and_the_idle_end() {
    let (play, waited) = (Play::new(), Duration::from_secs(1000));
    let pair = play.user();
    let before = play.world.sessions.all().remove(0);
    play.world.clock.advance(waited);
    block_on(play.service.sessions().refresh(&play.realm, pair.refresh.expose())).unwrap();
    let after = play.world.sessions.all().remove(0);
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.last_used_at, before.last_used_at + waited);
    assert_eq!(after.idle_expires_at, before.idle_expires_at + waited);
    assert_eq!(after.expires_at, before.expires_at);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_contract_holds_under_any_interleaving(steps in steps()) {
        let play = Play::new();
        let mut password = PASSWORD;
        let first = play.user();
        let mut model = Model::default();
        model.add(first.refresh.expose().to_owned());
        for step in steps {
            match step {
                Step::Present(back) => {
                    let at = model.tokens.len().saturating_sub(1 + back);
                    present(&play, &mut model, at, true)?;
                }
                Step::LoseReply => {
                    let at = model.tokens.len() - 1;
                    present(&play, &mut model, at, false)?;
                }
                Step::Wait(seconds) => {
                    model.now += seconds;
                    play.world.clock.advance(Duration::from_secs(seconds));
                }
                Step::LogOut => {
                    if let Ok(caller) = play.caller(&first) {
                        block_on(play.service.sessions().log_out(&caller)).unwrap();
                        model.ended = true;
                    }
                }
                Step::Reset => {
                    play.world.mailer.take();
                    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
                    play.deliver();
                    if play.world.mailer.link_token("mail_password_reset").is_some() {
                        let next = if password == PASSWORD { OTHER } else { PASSWORD };
                        block_on(play.service.passwords().reset_password(&play.realm, &play.link("mail_password_reset"), next, &play.client)).unwrap();
                        password = next;
                        model.ended = true;
                    }
                }
            }
            // an access token lives half an hour: longer waits end it, not the family
            if model.now < 1800 {
                check(&play, &model, &first)?;
            }
        }
    }
}
