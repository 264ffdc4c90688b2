//! The model as a state machine of proptest, and its runs on a harness.

use std::future::Future;
use std::marker::PhantomData;

use proptest::prelude::{BoxedStrategy, Just, Strategy, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use super::driver::Driver;
use super::history::History;
use super::model_run::{ModelRun, RunStats};
use super::state::Model;
use super::steps::{Step, any_step, apt_steps};

/// The state of the reference: the state of a perfect service, and the knowledge of its client.
#[derive(Debug, Clone, Default)]
pub struct ReferenceState {
    model: Model,
    history: History,
    made_up: u64,
}

/// The reference model as proptest takes it: it makes up the texts that a service would draw.
#[derive(Debug)]
pub struct ModelReference;

impl ReferenceStateMachine for ModelReference {
    type State = ReferenceState;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<ReferenceState> {
        Just(ReferenceState::default()).boxed()
    }

    fn transitions(state: &ReferenceState) -> BoxedStrategy<Step> {
        let apt = apt_steps(&state.model);
        if apt.is_empty() { any_step() } else { prop_oneof![2 => any_step(), 1 => select(apt)].boxed() }
    }

    fn apply(mut state: ReferenceState, step: &Step) -> ReferenceState {
        state.model.now += 1;
        if let Step::Pass { seconds } = step {
            state.model.now += seconds;
        }
        let now = state.model.now;
        if let Some((realm, request)) = step.request(&state.history, now) {
            let made_up = &mut state.made_up;
            let (answer, sent) = state.model.story(realm, &request).perform(&mut |kind| {
                *made_up += 1;
                format!("{kind}-{made_up}")
            });
            if let Some(next) = state.model.after(realm, &request, &answer, &sent).pop() {
                state.model = next;
            }
            state.history.learn((realm, now), &request, &answer, &sent, step.loses_reply());
        }
        state.model.tidy();
        state
    }

    fn preconditions(state: &ReferenceState, step: &Step) -> bool {
        matches!(step, Step::Pass { .. }) || step.request(&state.history, state.model.now + 1).is_some()
    }
}

/// How a fresh service is made for each run, and how a future is waited for.
pub trait Harness: Sized + 'static {
    /// The service.
    type Driver: Driver;

    /// A fresh one, with a clock at any time.
    fn set_up() -> Self;

    /// Its driver.
    fn model(&mut self) -> &mut ModelRun<Self::Driver>;

    /// Waits for a future to end.
    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<Self::Driver>) -> Waiting<'a, T>) -> T;
}

/// A future that [`Harness::wait`] waits for.
pub type Waiting<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The test of a harness, as proptest's macro takes it:
/// `prop_state_machine! { fn model(sequential 1..40 => ModelTest<Mine>); }`.
#[derive(Debug)]
pub struct ModelTest<S>(PhantomData<S>);

impl<S: Harness> StateMachineTest for ModelTest<S> {
    type SystemUnderTest = S;
    type Reference = ModelReference;

    fn init_test(_state: &ReferenceState) -> S {
        S::set_up()
    }

    fn apply(mut stage: S, _state: &ReferenceState, step: Step) -> S {
        let outcome = stage.wait(|model| {
            let step = step.clone();
            Box::pin(async move { model.run_step(&step).await })
        });
        assert_eq!(outcome, Ok(()));
        stage
    }

    fn teardown(mut stage: S, _state: ReferenceState) {
        assert_eq!(stage.wait(|model| Box::pin(model.check_invariants())), Ok(()));
    }
}

/// Runs sequences of at most `steps` steps, drawn from a seed. A failing one is shrunk. Returns statistics of the run.
///
/// # Errors
/// The shrunk sequence, the observation that no state explains, and the seed.
pub fn run_model<S: Harness>(runs: u32, steps: usize, seed: u64) -> Result<RunStats, String> {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
    let config = Config { cases: runs, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let stats = std::cell::RefCell::new(RunStats::default());
    let outcome = runner.run(&ModelReference::sequential_strategy(1..=steps), |(_, steps, seen)| {
        let mut stage = S::set_up();
        for step in steps {
            if let Some(seen) = &seen {
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            let outcome = stage.wait(|model| {
                let step = step.clone();
                Box::pin(async move { model.run_step(&step).await })
            });
            outcome.map_err(TestCaseError::fail)?;
        }
        stage.wait(|model| Box::pin(model.check_invariants())).map_err(TestCaseError::fail)?;
        stats.borrow_mut().add(stage.model().stats());
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(stats.into_inner()),
        Err(TestError::Fail(reason, (_, steps, _))) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
            Err(format!("seed {seed}, {} steps:\n{}\n{reason}", steps.len(), steps.join("\n")))
        }
        Err(TestError::Abort(reason)) => Err(format!("seed {seed}: {reason}")),
    }
}
