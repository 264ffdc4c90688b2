//! Logs: written by a thread of their own, so that no request waits for them. Nothing personal is ever put in.

use std::io::{BufWriter, Stderr, Write};
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Lines that may wait for a terminal or a pipe that does not take them; what comes then is lost, never waited for.
const WAITING_LINES: usize = 16_384;
/// Characters that are gathered for one call.
const GATHERED: usize = 64 * 1024;
/// How long lines gather.
const NAP: Duration = Duration::from_millis(10);

/// Standard error, where many lines share a call: whoever writes a line finds the writing thread asleep for a moment,
/// not waiting to be woken.
struct Gathering(BufWriter<Stderr>);

impl Write for Gathering {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write(line)
    }

    /// Called where no more lines wait.
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()?;
        nap();
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that has nothing else to do: nobody waits for it")]
fn nap() {
    std::thread::sleep(NAP);
}

/// Starts logging to standard error; the logs are flushed when the guard is dropped.
///
/// # Errors
/// For a level that cannot be read.
pub fn start(log: &Log) -> Result<WorkerGuard, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("LOG_LEVEL: {error}"))?;
    let gathering = Gathering(BufWriter::with_capacity(GATHERED, std::io::stderr()));
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).finish(gathering);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    let started = match log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.compact().try_init(),
    };
    started.map_err(|error| error.to_string())?;
    Ok(guard)
}
