//! Runs tasks concurrently without a runtime of our own: the program that runs the contract suite supplies the racer.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// One runner of a race.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs tasks at once. The future it answers with is ready when all of them are.
pub trait Racer: Send + Sync {
    /// Starts them all before any is waited for.
    fn race(&self, tasks: Vec<Task>) -> Task;
}

/// A thread a task. For fakes, and for adapters that need no runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Racer for Threads {
    fn race(&self, tasks: Vec<Task>) -> Task {
        let start = Arc::new(std::sync::Barrier::new(tasks.len()));
        let runners: Vec<_> = tasks
            .into_iter()
            .map(|task| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    block_on(task);
                })
            })
            .collect();
        Box::pin(async move {
            for runner in runners {
                if let Err(panic) = runner.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        })
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future to its end on this thread, which parks while there is nothing to do.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn every_task_runs() {
        let count = Arc::new(AtomicU32::new(0));
        let task = |_| -> Task {
            let count = Arc::clone(&count);
            Box::pin(async move {
                count.fetch_add(1, Ordering::SeqCst);
            })
        };
        block_on(Threads.race((0..20).map(task).collect()));
        assert_eq!(count.load(Ordering::SeqCst), 20);
    }

    #[test]
    #[should_panic(expected = "a runner fell")]
    fn a_runner_that_falls_fails_the_race() {
        block_on(Threads.race(vec![Box::pin(async { panic!("a runner fell") })]));
    }
}
