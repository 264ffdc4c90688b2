//! Races on the runtime that the adapters themselves run on.

use portcullis_testkit::race::{Racer, Task};
use tokio::runtime::Handle;

/// A task of the runtime for each runner.
pub struct OnRuntime(pub Handle);

impl Racer for OnRuntime {
    fn race(&self, tasks: Vec<Task>) -> Task {
        let running: Vec<_> = tasks.into_iter().map(|task| self.0.spawn(task)).collect();
        Box::pin(async move {
            for runner in running {
                if let Err(error) = runner.await {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        })
    }
}
