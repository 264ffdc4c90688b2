//! Progress of a long command: a bar on a terminal, else a line per ten percent.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::print;

/// The progress of one command.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// The subject of the last line, and the tenths it reported.
    line: Mutex<Option<(String, u64)>>,
}

impl Progress {
    /// A bar of that template.
    pub fn new(template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::no_length().with_style(style)
        });
        Self { bar, line: Mutex::new(None) }
    }

    /// A count on a terminal, and nothing elsewhere: the output of the command is for machines.
    pub fn quiet() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{human_pos} {msg}  {per_sec}");
            ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, line: Mutex::new(None) }
    }

    /// Shows how many there were so far.
    pub fn count(&self, what: &str, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_position(done);
        }
    }

    /// Shows `done` of `all`.
    pub fn show(&self, what: &str, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_length(all);
            bar.set_position(done);
            return;
        }
        let tenths = done * 10 / all.max(1);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.as_ref().is_none_or(|(shown, at)| (shown.as_str(), *at) != (what, tenths)) {
            *line = Some((what.to_owned(), tenths));
            print(&format!("{what} {done}/{all}"));
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.as_ref().map_or_else(|| print(line), |bar| bar.println(line));
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
