//! Live progress of a load: one line, shown on a terminal only.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::progress;
use crate::event::Event;

/// The progress line. The watching thread updates it, never an engine thread.
pub(in crate::cli) struct LoadProgress {
    bar: ProgressBar,
    /// The length of the load with its warm-up, if it is one load and no search.
    length: Option<Duration>,
    /// Elapsed time and number of replies when the rate was computed last, and that rate.
    last: Mutex<(Duration, u64, f64)>,
}

impl LoadProgress {
    /// Creates the line; it stays hidden without a terminal.
    pub(crate) fn new(wanted: bool, length: Option<Duration>) -> Self {
        Self {
            bar: progress::line(wanted),
            length,
            last: Mutex::default(),
        }
    }

    pub(crate) fn show(&self, event: &Event) {
        let Event::Load {
            elapsed,
            connections,
            ops,
            troubles,
        } = event
        else {
            return;
        };
        let Some(elapsed) = elapsed else {
            self.bar.set_message("opening connections");
            return self.bar.tick();
        };
        let Ok(mut last) = self.last.lock() else {
            return;
        };
        let passed = elapsed.saturating_sub(last.0).as_secs_f64();
        if passed >= 0.25 {
            *last = (*elapsed, *ops, (ops - last.1) as f64 / passed);
        }
        let failures = match troubles {
            0 => String::new(),
            some => format!(", {some} failures"),
        };
        let left = self.length.map_or(String::new(), |length| {
            let left = length.saturating_sub(*elapsed);
            format!(", {:.0} s left", left.as_secs_f64().ceil())
        });
        self.bar.set_message(format!(
            "{:.1} s{left}: {:.0} replies/s over {connections} connections{failures}",
            elapsed.as_secs_f64(),
            last.2
        ));
        self.bar.tick();
    }

    /// Removes the line before results are printed.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
