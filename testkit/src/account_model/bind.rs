//! Matches an observed answer with the expected one. If it fits, its tokens and codes are known from then on.

use super::driver::{Answer, Refusal, Request, SentMessage, TestRealm};
use super::rules::{Awaited, Expected, Right, Story, slot};
use super::state::{ACCESS, Account, Link, Model, Seconds};

impl Model {
    /// The states in which the world may be after a request that was answered so, with these messages.
    pub fn after(&self, realm: TestRealm, request: &Request, answer: &Answer, sent: &[SentMessage]) -> Vec<Self> {
        let story = self.story(realm, request);
        let cut_short = *answer == Answer::Unavailable;
        let first = if cut_short { 0 } else { story.stages.len().saturating_sub(1) };
        let stages = story.stages.iter().skip(first);
        stages
            .filter_map(|stage| {
                let mut model = stage.model.clone();
                if !cut_short {
                    model.bind_answer(realm, &story.end, answer)?;
                }
                model.bind_messages(realm, &stage.messages, sent)?;
                model.tidy();
                Some(model)
            })
            .collect()
    }

    fn bind_answer(&mut self, realm: TestRealm, expected: &Expected, answer: &Answer) -> Option<()> {
        let now = self.now;
        let people = self.people_mut(realm);
        match (expected, answer) {
            (Expected::Done, Answer::Done) => Some(()),
            (Expected::Refused(why), Answer::Refused(seen)) => (why == seen).then_some(()),
            (Expected::Registered(name), Answer::Registered(id)) => {
                if let Some(registration) = people.registration_mut(name) {
                    registration.id = Some(id.clone());
                }
                Some(())
            }
            (Expected::Verified(name), Answer::Verified(id)) => {
                let known = &mut people.account_mut(name)?.id;
                (known.get_or_insert_with(|| id.clone()) == id).then_some(())
            }
            (Expected::Pair { name, session, token }, Answer::Pair(access, refresh)) => {
                people.account_mut(name)?.bind_pair((*session, *token), (access, refresh), now)
            }
            (Expected::Remembered { name, session }, Answer::Remembered(access, refresh, device)) => {
                let account = people.account_mut(name)?;
                account.devices.last_mut()?.token = Some(device.clone());
                account.bind_pair((*session, 0), (access, refresh), now)
            }
            (Expected::Enrolled(name), Answer::Enrolled(access, refresh, codes)) => {
                let account = people.account_mut(name)?;
                account.backup_codes.clone_from(codes);
                account.bind_pair((0, 0), (access, refresh), now)
            }
            (Expected::Enrolment(name), Answer::EnrolmentRequired(token)) => {
                people.account_mut(name)?.enrolment.as_mut()?.token = Some(token.clone());
                Some(())
            }
            (Expected::Offer(name), Answer::Offer(token)) => {
                people.account_mut(name)?.offer.as_mut()?.token = Some(token.clone());
                Some(())
            }
            (Expected::NoBackupCodes, Answer::BackupCodes(codes)) => codes.is_empty().then_some(()),
            (Expected::Mfa(name), Answer::MfaRequired(token)) => {
                people.account_mut(name)?.login_challenge.as_mut()?.token = Some(token.clone());
                Some(())
            }
            (Expected::BackupCodes(name), Answer::BackupCodes(codes)) => {
                people.account_mut(name)?.backup_codes.clone_from(codes);
                (!codes.is_empty()).then_some(())
            }
            (Expected::Challenge(name), Answer::Challenge(token)) => {
                if let Some(name) = name {
                    people.account_mut(name)?.phone_challenge.as_mut()?.token = Some(token.clone());
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Every message that was awaited came, and no other.
    fn bind_messages(&mut self, realm: TestRealm, awaited: &[Awaited], sent: &[SentMessage]) -> Option<()> {
        let mut left: Vec<&SentMessage> = sent.iter().collect();
        for message in awaited {
            let fits = |sent: &&SentMessage| {
                sent.to == message.to
                    && sent.template == message.template
                    && sent.realm.is_none_or(|of| of == realm)
                    && sent.name.as_ref().is_none_or(|name| *name == message.name)
            };
            let place = left.iter().position(fits)?;
            self.bind_message(realm, message, left.remove(place))?;
        }
        left.is_empty().then_some(())
    }

    fn bind_message(&mut self, realm: TestRealm, awaited: &Awaited, sent: &SentMessage) -> Option<()> {
        let people = self.people_mut(realm);
        let fill = |link: &mut Option<Link>| {
            if let Some(link) = link {
                (link.token, link.code) = (sent.token.clone(), sent.code.clone());
            }
        };
        match awaited.right {
            Right::None => return (sent.token.is_none() && sent.code.is_none()).then_some(()),
            Right::Verify => fill(&mut people.registration_mut(&awaited.name)?.link),
            Right::Reset => fill(&mut people.account_mut(&awaited.name)?.reset),
            Right::Change => fill(&mut people.account_mut(&awaited.name)?.change),
            Right::Undo => {
                let undos = &mut people.account_mut(&awaited.name)?.undos;
                undos.last_mut().filter(|undo| undo.token.is_none())?.token.clone_from(&sent.token);
            }
            right @ (Right::Phone | Right::Login | Right::Enrolment) => {
                slot(people.account_mut(&awaited.name)?, right).as_mut()?.otp.clone_from(&sent.code);
                return sent.code.as_ref().map(|_| ());
            }
        }
        sent.token.as_ref().map(|_| ())
    }
}

impl Account {
    /// Takes the tokens of an answer into a session.
    fn bind_pair(
        &mut self,
        (session, token): (usize, usize),
        (access, refresh): (&str, &str),
        now: Seconds,
    ) -> Option<()> {
        let session = self.sessions.get_mut(session)?;
        // a fresh token is a new one; a lost reply gets the very same again
        let fresh = session.place_of(refresh).is_none();
        let text = &mut session.tokens.get_mut(token)?.text;
        let fits = text.as_ref().map_or(fresh, |known| known == refresh);
        *text = Some(refresh.to_owned());
        session.access.push((access.to_owned(), now + ACCESS));
        fits.then_some(())
    }
}

impl Story {
    /// The answer and the messages of a perfect service, with made-up tokens and codes.
    pub fn perform(&self, made_up: &mut impl FnMut(&str) -> String) -> (Answer, Vec<SentMessage>) {
        let Some(last) = self.stages.last() else { return (Answer::Refused(Refusal::Other), Vec::new()) };
        let answer = match &self.end {
            Expected::Done => Answer::Done,
            Expected::Refused(why) => Answer::Refused(*why),
            Expected::Registered(_) => Answer::Registered(made_up("id")),
            Expected::Verified(name) => {
                let known = last.model.people(self.realm).account(name).and_then(|account| account.id.clone());
                Answer::Verified(known.unwrap_or_else(|| made_up("id")))
            }
            Expected::Pair { name, session, token } => {
                let account = last.model.people(self.realm).account(name);
                let known = account.and_then(|a| a.sessions.get(*session)?.tokens.get(*token)?.text.clone());
                Answer::Pair(made_up("access"), known.unwrap_or_else(|| made_up("refresh")))
            }
            Expected::Remembered { .. } => Answer::Remembered(made_up("access"), made_up("refresh"), made_up("device")),
            Expected::Enrolled(_) => {
                let codes = (0..3).map(|_| made_up("backup-code")).collect();
                Answer::Enrolled(made_up("access"), made_up("refresh"), codes)
            }
            Expected::Enrolment(_) => Answer::EnrolmentRequired(made_up("enrolment")),
            Expected::Offer(_) => Answer::Offer(made_up("offer")),
            Expected::NoBackupCodes => Answer::BackupCodes(Vec::new()),
            Expected::Mfa(_) => Answer::MfaRequired(made_up("challenge")),
            Expected::Challenge(_) => Answer::Challenge(made_up("challenge")),
            Expected::BackupCodes(_) => Answer::BackupCodes((0..3).map(|_| made_up("backup-code")).collect()),
        };
        let sent = last.messages.iter().map(|message| {
            let linked = matches!(message.right, Right::Verify | Right::Reset | Right::Change | Right::Undo);
            let coded = matches!(message.right, Right::Verify | Right::Phone | Right::Login | Right::Enrolment);
            SentMessage {
                realm: Some(self.realm),
                to: message.to.clone(),
                template: message.template.to_owned(),
                name: Some(message.name.clone()),
                token: linked.then(|| made_up("link")),
                code: coded.then(|| made_up("code")),
            }
        });
        (answer, sent.collect())
    }
}
