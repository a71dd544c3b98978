//! Live progress on stderr: a bar on a terminal, and one line per check with `-v`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::output::note;
use super::remaining::{Remaining, phrase};
use crate::event::Event;

/// Progress of a battery: which checks are running and how many have failed.
pub(super) struct CheckProgress {
    bar: ProgressBar,
    verbose: bool,
    begun: Instant,
    /// Unknown before the first run in a folder.
    remaining: Option<Remaining>,
    /// When the battery will probably end; the bar counts down to it.
    end: Arc<Mutex<Option<Instant>>>,
    state: Mutex<BatteryState>,
}

#[derive(Default)]
struct BatteryState {
    running: BTreeSet<&'static str>,
    unconfirmed: BTreeSet<&'static str>,
    done: BTreeSet<&'static str>,
    failed: usize,
}

/// The line of a battery.
const BATTERY: &str = "{spinner} {pos}/{len} {bar:20} {time}; {wide_msg}";

/// Writes how long the battery will still take, or if that is unknown how long it has taken.
fn countdown(
    end: Arc<Mutex<Option<Instant>>>,
) -> impl Fn(&ProgressState, &mut dyn Write) + Clone + Send + Sync + 'static {
    move |state, out| {
        let end = end.lock().ok().and_then(|end| *end);
        let time = match end {
            Some(end) => phrase(end.saturating_duration_since(Instant::now())),
            None => format!("{} s", state.elapsed().as_secs()),
        };
        let _ = out.write_str(&time);
    }
}

impl CheckProgress {
    /// Shows no bar unless `wanted` and stderr is a terminal.
    pub(super) fn new(wanted: bool, verbose: bool, remaining: Option<Remaining>) -> Self {
        let end = Arc::default();
        let bar = if wanted && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(BATTERY)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("time", countdown(Arc::clone(&end)));
            let bar = ProgressBar::new(0).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            verbose,
            begun: Instant::now(),
            remaining,
            end,
            state: Mutex::default(),
        }
    }

    pub(super) fn show(&self, event: Event) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        match event {
            Event::Rehearsing => self
                .bar
                .set_message("rehearsing the conversation on a clean server"),
            Event::Started { checks } => {
                self.bar.set_length(checks as u64);
                self.expect_end(&state);
            }
            Event::CheckStarted { id } | Event::Confirming { id } | Event::Controlling { id } => {
                state.running.insert(id);
            }
            Event::Failing { id } => {
                state.running.remove(id);
                state.unconfirmed.insert(id);
            }
            // Loads, sweeps and campaigns have their own progress lines.
            Event::Load { .. }
            | Event::Step { .. }
            | Event::Fuzz { .. }
            | Event::Guided { .. }
            | Event::Found { .. } => {}
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
                    self.print_line(id, verdict, duration);
                }
                self.bar.set_position(state.done.len() as u64);
                self.expect_end(&state);
            }
        }
        if !state.done.is_empty() || !state.running.is_empty() {
            self.bar.set_message(state.message());
        }
    }

    /// Estimates the end again.
    fn expect_end(&self, state: &BatteryState) {
        let Some(remaining) = &self.remaining else {
            return;
        };
        let left = remaining.left(&state.done, self.begun.elapsed());
        if let Ok(mut end) = self.end.lock() {
            *end = Some(Instant::now() + left);
        }
    }

    /// With `-v`, prints a line for each finished check.
    fn print_line(&self, id: &str, verdict: &str, duration: Duration) {
        if self.verbose {
            let line = format!("{verdict:<12} {id} ({:.1} s)", duration.as_secs_f64());
            self.bar.suspend(|| note(&line));
        }
    }

    /// Removes the bar before results are printed.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl BatteryState {
    fn message(&self) -> String {
        let mut parts = Vec::new();
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if !self.unconfirmed.is_empty() {
            parts.push(format!("{} to confirm", self.unconfirmed.len()));
        }
        let running: Vec<&str> = self.running.iter().copied().collect();
        if !running.is_empty() {
            parts.push(running.join(", "));
        }
        parts.join("; ")
    }
}

/// A spinner with a message; hidden unless stderr is a terminal.
pub(super) fn line(wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new_spinner().with_style(style)
}

/// Progress of consecutive steps.
pub(super) struct StepProgress {
    bar: ProgressBar,
}

impl StepProgress {
    /// Shows no bar unless `wanted` and stderr is a terminal.
    pub(super) fn new(wanted: bool) -> Self {
        let bar = if wanted && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{pos}/{len} {bar:30} {eta} left  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Self { bar }
    }

    /// Shows the number of completed steps and the current step.
    pub(super) fn show(&self, done: usize, all: usize, what: &str) {
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(what.to_owned());
    }

    /// Removes the bar before results are printed.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
