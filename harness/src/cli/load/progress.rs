//! Live progress of a load: one line, and only where someone is looking.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::progress;
use crate::event::Event;

/// A line that is brought up to date by the thread that watches the load, never by one that carries it.
pub(in crate::cli) struct LoadProgress {
    bar: ProgressBar,
    /// When and at how many replies the rate was taken last, and that rate.
    last: Mutex<(Duration, u64, f64)>,
}

impl LoadProgress {
    /// No line without a terminal.
    pub(crate) fn new(wanted: bool) -> Self {
        Self {
            bar: progress::line(wanted),
            last: Mutex::default(),
        }
    }

    /// Shows an event.
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
        let troubles = match troubles {
            0 => String::new(),
            some => format!(", {some} troubles"),
        };
        self.bar.set_message(format!(
            "{:.1} s: {:.0} replies/s over {connections} connections{troubles}",
            elapsed.as_secs_f64(),
            last.2
        ));
        self.bar.tick();
    }

    /// Takes the line away before results are printed.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
