//! Live progress of a campaign: one status line, and one line per finding.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::output::note;
use crate::cli::progress;
use crate::event::Event;
use crate::text::escape_text;

/// The status line. Findings are printed even without a terminal.
pub(super) struct FuzzProgress {
    bar: ProgressBar,
    duration: Option<Duration>,
    wanted: bool,
}

impl FuzzProgress {
    /// The status line is shown only on a terminal.
    pub(crate) fn new(wanted: bool, duration: Option<Duration>) -> Self {
        Self {
            bar: progress::line(wanted),
            duration,
            wanted,
        }
    }

    /// Shows an event.
    pub(crate) fn show(&self, event: Event) {
        match event {
            Event::Rehearsing => self
                .bar
                .set_message("rehearsing the conversation on a fresh server"),
            Event::Guided { by } => {
                let line = format!("feedback: {}", escape_text(&by, 300));
                self.bar.suspend(|| note(&line));
            }
            Event::Found { what } if self.wanted => {
                let line = format!("found: {}", escape_text(&what, 200));
                self.bar.suspend(|| note(&line));
            }
            Event::Fuzz {
                elapsed,
                executions,
                per_s,
                findings,
                restarts,
                corpus,
                busy,
            } => {
                let left = self.duration.map_or(String::new(), |duration| {
                    let left = duration.saturating_sub(elapsed);
                    format!(", {:.0} s left", left.as_secs_f64().ceil())
                });
                let busy = busy.map_or(String::new(), |busy| {
                    format!("; {}", escape_text(&busy, 80))
                });
                self.bar.set_message(format!(
                    "{:.0} s{left}: {executions} cases, {per_s:.0}/s, {findings} findings, {restarts} server starts, {corpus} cases in the corpus{busy}",
                    elapsed.as_secs_f64(),
                ));
                self.bar.tick();
            }
            _ => {}
        }
    }

    /// Removes the status line before results are printed.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
