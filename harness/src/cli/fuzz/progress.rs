//! Live progress of a campaign: one line, and a line for each finding.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::output::note;
use crate::cli::progress;
use crate::event::Event;
use crate::text::escape_text;

/// A line that says how far the campaign is. Findings are told also where nobody looks at a line.
pub(super) struct FuzzProgress {
    bar: ProgressBar,
    duration: Option<Duration>,
    wanted: bool,
}

impl FuzzProgress {
    /// No line without a terminal.
    pub fn new(wanted: bool, duration: Option<Duration>) -> Self {
        Self {
            bar: progress::line(wanted),
            duration,
            wanted,
        }
    }

    /// Shows an event.
    pub fn show(&self, event: Event) {
        match event {
            Event::Rehearsing => self
                .bar
                .set_message("trying the conversation on a clean server"),
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
                let of = self
                    .duration
                    .map_or(String::new(), |duration| format!("/{}", duration.as_secs()));
                let busy = busy.map_or(String::new(), |busy| {
                    format!("; {}", escape_text(&busy, 80))
                });
                self.bar.set_message(format!(
                    "{:.0}{of} s: {executions} cases, {per_s:.0}/s, {findings} findings, {restarts} restarts, corpus {corpus}{busy}",
                    elapsed.as_secs_f64(),
                ));
                self.bar.tick();
            }
            _ => {}
        }
    }

    /// Takes the line away before results are printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
