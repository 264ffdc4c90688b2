//! Memory and processor time of this process, as the operating system counts them.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Memory and processor time of this process.
pub struct ProcessStats {
    state: Mutex<State>,
}

struct State {
    system: Option<System>,
    pid: Option<Pid>,
    refreshed: Option<Instant>,
    memory_mb: f64,
    cpu_percent: f32,
}

impl Default for ProcessStats {
    fn default() -> Self {
        let state = State { system: None, pid: None, refreshed: None, memory_mb: 0.0, cpu_percent: 0.0 };
        Self { state: Mutex::new(state) }
    }
}

impl ProcessStats {
    /// Resident memory in MiB and processor use in percent of one core since the reading before. A reading is good
    /// for a second.
    pub fn read(&self) -> (f64, f32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = state.refreshed.is_some_and(|at| at.elapsed().as_millis() < 1000);
        if !fresh {
            state.refresh();
        }
        (state.memory_mb, state.cpu_percent)
    }
}

impl State {
    fn refresh(&mut self) {
        self.refreshed = Some(Instant::now());
        let Some(pid) = self.pid.or_else(|| sysinfo::get_current_pid().ok()) else { return };
        self.pid = Some(pid);
        if self.system.is_none() {
            self.system = System::new().ok();
        }
        let Some(system) = &mut self.system else { return };
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        if let Some(process) = system.process(pid) {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let memory = process.memory() as f64;
            self.memory_mb = memory / 1_048_576.0;
            self.cpu_percent = process.cpu_usage();
        }
    }
}
