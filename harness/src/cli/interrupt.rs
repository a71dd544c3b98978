//! SIGINT and SIGTERM: the first signal ends the run early and keeps the results so far; the second
//! exits immediately (the supervisors then end all servers).

use crate::report::{ExitCode, RunError};
use crate::subject::Interrupt;

/// Starts watching for signals.
pub(super) fn watch() -> Result<Interrupt, RunError> {
    watching().map_err(|error| RunError::internal(format!("cannot watch for signals: {error}")))
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
