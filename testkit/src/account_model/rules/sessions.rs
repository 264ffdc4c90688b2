//! Refresh tokens: one branch lives, a lost reply is forgiven, a thief ends the family.

use super::{Expected, Story};
use crate::account_model::driver::Refusal;
use crate::account_model::state::{IDLE, Model, REISSUE, Session, Token};

impl Model {
    pub(super) fn refresh(&self, begin: Story, text: &str) -> Story {
        let found = self.people(begin.realm).accounts.iter().find_map(|account| {
            let place = |(at, session): (usize, &Session)| Some((at, session.place_of(text)?));
            let (session, token) = account.sessions.iter().enumerate().find_map(place)?;
            Some((account, session, token))
        });
        let Some((account, session, token)) = found else { return begin.refuse(Refusal::InvalidGrant) };
        let name = account.name.clone();
        let Some(known) = account.sessions.get(session) else { return begin };
        match known.expected_refresh(token, self.now) {
            RefreshResult::Theft => {
                begin.change(&name, |account| account.end_stolen(session)).refuse(Refusal::InvalidGrant)
            }
            RefreshResult::Same(token) => begin.end(Expected::Pair { name, session, token }),
            RefreshResult::Fresh => {
                let (fresh, now) = (known.tokens.len(), self.now);
                begin
                    .change(&name, |account| {
                        if let Some(session) = account.sessions.get_mut(session) {
                            session.rotate(token, now);
                        }
                    })
                    .end(Expected::Pair { name, session, token: fresh })
            }
        }
    }
}

enum RefreshResult {
    Fresh,
    Same(usize),
    Theft,
}

impl Session {
    /// The position of a refresh token among all tokens that the session ever had.
    pub fn place_of(&self, text: &str) -> Option<usize> {
        self.tokens.iter().position(|token| token.text.as_deref() == Some(text))
    }

    /// Whether it is the one token that is good now.
    pub fn is_current(&self, text: &str) -> bool {
        let at = self.tokens.iter().find(|token| token.text.as_deref() == Some(text));
        at.is_some_and(|token| token.successor.is_none() && !token.tripwire)
    }

    fn expected_refresh(&self, at: usize, now: i64) -> RefreshResult {
        let Some(token) = self.tokens.get(at).filter(|token| !token.tripwire) else { return RefreshResult::Theft };
        let Some(successor) = token.successor else { return RefreshResult::Fresh };
        match self.tokens.get(successor) {
            Some(next) if next.successor.is_none() && now - token.rotated_at < REISSUE => {
                RefreshResult::Same(successor)
            }
            Some(next) if next.successor.is_none() => RefreshResult::Fresh,
            _ => RefreshResult::Theft,
        }
    }

    /// The token is exchanged for a fresh one; a successor that it had is a tripwire from now on.
    fn rotate(&mut self, at: usize, now: i64) {
        let fresh = self.tokens.len();
        let before = self.tokens.get_mut(at).and_then(|token| {
            token.rotated_at = now;
            token.successor.replace(fresh)
        });
        if let Some(before) = before.and_then(|before| self.tokens.get_mut(before)) {
            before.tripwire = true;
        }
        self.tokens.push(Token::default());
        self.idle_expires = (now + IDLE).min(self.expires);
    }
}
