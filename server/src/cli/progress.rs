//! How far a long call is: a bar on a terminal, a line each tenth elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::print;

/// Of one call.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// What the last line was about, and how many tenths of it were told.
    line: Mutex<Option<(String, u64)>>,
}

impl Progress {
    /// One whose bar looks like that.
    pub fn new(template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::no_length().with_style(style)
        });
        Self { bar, line: Mutex::new(None) }
    }

    /// So many of so many.
    pub fn show(&self, what: &str, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_length(all);
            bar.set_position(done);
            return;
        }
        let tenths = done * 10 / all.max(1);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.as_ref().is_none_or(|(told, at)| (told.as_str(), *at) != (what, tenths)) {
            *line = Some((what.to_owned(), tenths));
            print(&format!("{what} {done}/{all}"));
        }
    }

    /// A line above it.
    pub fn say(&self, line: &str) {
        self.bar.as_ref().map_or_else(|| print(line), |bar| bar.println(line));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
