//! A run of the model: the service under test, and every state of the model that explains its answers so far.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::driver::{Answer, Driver, Probe, Request, TestRealm};
use super::history::{History, clear};
use super::state::{Model, Seconds};
use super::steps::Step;

/// How many of each kind of token are checked after each step; older ones were checked before.
const LOOKED_AT: usize = 4;
/// More states than this explain nothing.
const STATES: usize = 256;

/// How often each kind of answer came to each kind of request, and how much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Steps.
    pub steps: u64,
    /// Looks at tokens.
    pub looks: u64,
    /// Requests that a broken port cut short.
    pub cut_short: u64,
    /// The most states of the model that fitted at once.
    pub most_states: usize,
    /// Counts by request and answer.
    pub answers: BTreeMap<String, u64>,
}

impl RunStats {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.looks += other.looks;
        self.cut_short += other.cut_short;
        self.most_states = self.most_states.max(other.most_states);
        for (answer, count) in &other.answers {
            *self.answers.entry(answer.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for RunStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, looks, cut_short, most_states, answers } = self;
        writeln!(f, "{steps} steps, {looks} looks, {cut_short} cut short, {most_states} states at most")?;
        answers.iter().try_for_each(|(answer, count)| writeln!(f, "{count:>7} {answer}"))
    }
}

/// A service and all that may be true of it.
#[derive(Debug)]
pub struct ModelRun<D> {
    driver: D,
    states: Vec<Model>,
    history: History,
    stats: RunStats,
}

impl<D: Driver> ModelRun<D> {
    /// Begins with a service that has no accounts yet.
    #[must_use]
    pub fn new(driver: D) -> Self {
        Self { driver, states: vec![Model::default()], history: History::default(), stats: RunStats::default() }
    }

    /// The statistics of the run so far.
    #[must_use]
    pub const fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// Plays one step and looks at what everything is good for then.
    ///
    /// # Errors
    /// An answer that no state of the model explains.
    pub async fn run_step(&mut self, step: &Step) -> Result<(), String> {
        self.stats.steps += 1;
        self.pass(1).await;
        match step {
            Step::Pass { seconds } => self.pass(*seconds).await,
            _ => self.ask(step).await?,
        }
        self.stats.most_states = self.stats.most_states.max(self.states.len());
        self.look_around(LOOKED_AT).await
    }

    /// Checks every token that was ever issued: an invalid one stays invalid.
    ///
    /// # Errors
    /// An answer that no state of the model explains.
    pub async fn check_invariants(&mut self) -> Result<(), String> {
        self.look_around(usize::MAX).await
    }

    fn now(&self) -> Seconds {
        self.states.first().map_or(0, |model| model.now)
    }

    async fn pass(&mut self, seconds: Seconds) {
        self.driver.pass(Duration::from_secs(seconds.unsigned_abs())).await;
        for model in &mut self.states {
            model.now += seconds;
            model.tidy();
        }
        self.merge();
    }

    /// States that differ in nothing are one.
    fn merge(&mut self) {
        let mut different: Vec<Model> = Vec::new();
        for model in std::mem::take(&mut self.states) {
            if !different.contains(&model) {
                different.push(model);
            }
        }
        self.states = different;
    }

    async fn ask(&mut self, step: &Step) -> Result<(), String> {
        let now = self.now();
        let Some((realm, request)) = step.request(&self.history, now) else { return Ok(()) };
        if let Step::Broken { call, when, .. } = step {
            self.driver.break_call(*call, *when).await;
        }
        let answer = self.driver.ask(realm, &request).await;
        let broke = self.driver.mend().await;
        let sent = self.driver.messages().await;
        if answer == Answer::Unavailable {
            self.stats.cut_short += 1;
            if !broke {
                return Err(format!("{request:?} was unavailable, and nothing was broken on purpose"));
            }
        }
        *self.stats.answers.entry(label(&request, &answer)).or_default() += 1;
        let fits: Vec<Model> =
            self.states.iter().flat_map(|model| model.after(realm, &request, &answer, &sent)).collect();
        if fits.is_empty() {
            return Err(self.unexplained(realm, &request, &format!("{answer:?}, {sent:?}")));
        }
        self.states = fits;
        self.merge();
        self.history.learn((realm, now), &request, &answer, &sent, step.loses_reply());
        if self.states.len() > STATES {
            return Err(format!("{} states fit: that explains nothing", self.states.len()));
        }
        Ok(())
    }

    fn unexplained(&self, realm: TestRealm, request: &Request, seen: &str) -> String {
        let expected = self.states.iter().map(|model| {
            let story = model.story(realm, request);
            let messages = story.stages.last().map(|stage| &stage.messages);
            format!("{:?}, {messages:?}", story.end)
        });
        let expected: Vec<String> = expected.collect();
        format!("{request:?} in {}\n      seen: {seen}\n  expected: {}", realm.name(), expected.join("\n        or: "))
    }

    /// Looks at the newest tokens of each kind, in their realm and in the other one.
    async fn look_around(&mut self, newest: usize) -> Result<(), String> {
        let now = self.now();
        let mut probes: Vec<(TestRealm, Probe)> = Vec::new();
        let access = self.history.access.iter().filter(|(.., expires)| clear(*expires, now));
        probes.extend(access.rev().take(newest).map(|(realm, text, _)| (*realm, Probe::Access(text.clone()))));
        let refresh = self.history.refresh.iter().rev().take(newest);
        probes.extend(refresh.map(|(realm, text)| (*realm, Probe::Refresh(text.clone()))));
        for (realm, token, _) in self.history.links.iter().rev().take(newest) {
            let of_token = [Probe::Link(token.clone()), Probe::Reset(token.clone()), Probe::Undo(token.clone())];
            probes.extend(of_token.map(|probe| (*realm, probe)));
        }
        // in another realm the newest of each kind is worth nothing
        let turned: Vec<_> = [Probe::is_access, Probe::is_refresh, Probe::is_link, Probe::is_reset, Probe::is_undo]
            .into_iter()
            .filter_map(|kind| probes.iter().find(|(_, probe)| kind(probe)))
            .map(|(realm, probe)| (realm.other(), probe.clone()))
            .collect();
        probes.extend(turned);
        for (realm, probe) in probes {
            self.stats.looks += 1;
            let seen = self.driver.look(realm, &probe).await;
            let expected: Vec<_> = self.states.iter().map(|model| model.look(realm, &probe)).collect();
            self.states.retain(|model| model.look(realm, &probe) == seen);
            if self.states.is_empty() {
                return Err(format!("{probe:?} in {}\n      seen: {seen:?}\n  expected: {expected:?}", realm.name()));
            }
        }
        Ok(())
    }
}

impl Probe {
    const fn is_access(&self) -> bool {
        matches!(self, Self::Access(_))
    }

    const fn is_refresh(&self) -> bool {
        matches!(self, Self::Refresh(_))
    }

    const fn is_link(&self) -> bool {
        matches!(self, Self::Link(_))
    }

    const fn is_reset(&self) -> bool {
        matches!(self, Self::Reset(_))
    }

    const fn is_undo(&self) -> bool {
        matches!(self, Self::Undo(_))
    }
}

/// `Refresh → Pair`, without anything of the texts.
fn label(request: &Request, answer: &Answer) -> String {
    let word = |text: String| text.split([' ', '(']).next().unwrap_or_default().to_owned();
    let answer = match answer {
        Answer::Refused(why) => format!("{why:?}"),
        answer => word(format!("{answer:?}")),
    };
    format!("{} → {answer}", word(format!("{request:?}")))
}
