//! Live progress on stderr: a bar where someone is looking, and a line a check with `-v`.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::note;
use crate::event::Event;

/// A bar that shows which checks are running and how many have failed.
pub(super) struct Progress {
    bar: ProgressBar,
    verbose: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeSet<&'static str>,
    unconfirmed: BTreeSet<&'static str>,
    done: BTreeSet<&'static str>,
    failed: usize,
}

impl Progress {
    /// No bar without a terminal.
    pub fn new(wanted: bool, verbose: bool) -> Self {
        let bar = if wanted && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {pos}/{len} {bar:20} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(0).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            verbose,
            state: Mutex::default(),
        }
    }

    /// Shows an event.
    pub fn show(&self, event: Event) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        match event {
            Event::Trying => self
                .bar
                .set_message("trying the conversation on a clean server"),
            Event::Started { checks } => self.bar.set_length(checks as u64),
            Event::CheckStarted { id } | Event::Confirming { id } | Event::Controlling { id } => {
                state.running.insert(id);
            }
            Event::Failing { id } => {
                state.running.remove(id);
                state.unconfirmed.insert(id);
            }
            // Loads have a line of their own, and so have sweeps and campaigns.
            Event::Load { .. } | Event::Step { .. } | Event::Fuzz { .. } | Event::Found { .. } => {}
            Event::CheckDone {
                id,
                verdict,
                failed,
                duration,
            } => {
                state.running.remove(id);
                state.unconfirmed.remove(id);
                if state.done.insert(id) {
                    state.failed += usize::from(failed);
                    self.tell(id, verdict, duration);
                }
                self.bar.set_position(state.done.len() as u64);
            }
        }
        if !state.done.is_empty() || !state.running.is_empty() {
            self.bar.set_message(state.message());
        }
    }

    /// A line for each check as it ends, where that was asked for.
    fn tell(&self, id: &str, verdict: &str, duration: Duration) {
        if self.verbose {
            let line = format!("{verdict:<12} {id} ({:.1} s)", duration.as_secs_f64());
            self.bar.suspend(|| note(&line));
        }
    }

    /// Takes the bar away before results are printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl State {
    fn message(&self) -> String {
        let mut parts = Vec::new();
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if !self.unconfirmed.is_empty() {
            parts.push(format!("{} to confirm", self.unconfirmed.len()));
        }
        let running: Vec<&str> = self.running.iter().copied().collect();
        parts.push(running.join(", "));
        parts.join("; ")
    }
}

/// A line that is brought up to date; none where nobody is looking.
pub(super) fn line(wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new_spinner().with_style(style)
}

/// A bar over steps that are done one after the other.
pub(super) struct StepProgress {
    bar: ProgressBar,
}

impl StepProgress {
    /// No bar without a terminal.
    pub fn new(wanted: bool) -> Self {
        let bar = if wanted && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{pos}/{len} {bar:30} {eta} left  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Self { bar }
    }

    /// So many of all are done; `what` is next.
    pub fn show(&self, done: usize, all: usize, what: &str) {
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(what.to_owned());
    }

    /// Takes the bar away before results are printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
