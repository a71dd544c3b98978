//! SIGINT and SIGTERM: the first signal ends the run early and keeps the results so far; the second
//! exits immediately (the supervisors then end all servers).

use std::sync::Mutex;

use crate::report::{ExitCode, RunError};
use crate::subject::Interrupt;

/// The only watcher of the process.
static WATCHED: Mutex<Option<Interrupt>> = Mutex::new(None);

/// Starts watching for signals, unless it has begun before.
pub(super) fn watch() -> Result<Interrupt, RunError> {
    let failed = |error: String| RunError::internal(format!("cannot watch for signals: {error}"));
    let mut watched = WATCHED.lock().map_err(|error| failed(error.to_string()))?;
    if let Some(interrupt) = &*watched {
        return Ok(interrupt.clone());
    }
    let interrupt = watching().map_err(|error| failed(error.to_string()))?;
    Ok(watched.insert(interrupt).clone())
}

/// Whether a signal has arrived.
pub(super) fn is_set() -> bool {
    let watched = WATCHED.lock().ok();
    watched.is_some_and(|watched| watched.as_ref().is_some_and(Interrupt::is_set))
}

fn watching() -> std::io::Result<Interrupt> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let interrupt = Interrupt::default();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let seen = interrupt.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for _ in signals.forever() {
                if seen.is_set() {
                    std::process::exit(ExitCode::Interrupted as i32);
                }
                seen.set();
            }
        })?;
    Ok(interrupt)
}
