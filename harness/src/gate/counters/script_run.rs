//! The run of a script with the profiler of its interpreter.

use std::path::Path;
use std::time::{Duration, Instant};

use super::CountError;
use super::length::RunLength;
use super::runs::{CountedRuns, TERMINATING_SIGNAL};
use super::script::Places;
use crate::process::{Hook, Server};

/// Maximum wait for a hook.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Interval of looks for its answer.
const ANSWER_POLL: Duration = Duration::from_millis(1);

impl CountedRuns<'_> {
    /// Runs a script once, with the profiler of its interpreter from when it is warm.
    pub(super) fn script(&self) -> Result<Places, CountError> {
        let outcome = self.run(RunLength::SCRIPT_WARM)?;
        Ok(outcome.places.per_operation(outcome.run.requests as f64))
    }

    /// Makes the hooks in all processes of the server begin or write, and waits until each has left a file whose name begins so.
    pub(super) fn ask(
        &self,
        hook: &Hook,
        server: &Server,
        folder: &Path,
        begins: &str,
    ) -> Result<(), CountError> {
        let asked = server.signal_programs(TERMINATING_SIGNAL, |program| hook.is_for(program));
        let answered = || {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
            names.filter(|name| name.starts_with(begins)).count()
        };
        let begun = Instant::now();
        while answered() < asked.max(1) {
            if self.interrupt.is_set() {
                return Err(CountError::Interrupted);
            }
            // A process without a hook is ended by the signal.
            let is_gone = server.pids().is_empty();
            if is_gone || begun.elapsed() > ANSWER_MAX {
                return match (answered(), is_gone) {
                    (0, true) => Err(CountError::NoHook(hook.excuse())),
                    (0, false) => Err(CountError::SilentHook),
                    _ => Ok(()),
                };
            }
            std::thread::sleep(ANSWER_POLL);
        }
        Ok(())
    }
}
