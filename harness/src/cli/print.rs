//! Printing on stdout and stderr.

use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a line of results could not be printed.
static STDOUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Prints a line of results. A reader that has gone away (`| head`) is no error.
pub(super) fn say(line: &str) {
    if let Err(error) = writeln!(anstream::stdout(), "{line}") {
        failed(&error);
    }
}

/// Prints raw results.
pub(super) fn say_bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        failed(&error);
    }
}

fn failed(error: &std::io::Error) {
    if error.kind() != ErrorKind::BrokenPipe && !STDOUT_FAILED.swap(true, Ordering::Relaxed) {
        note(&format!("error: cannot write to stdout: {error}"));
    }
}

/// Whether results were lost on their way to stdout.
pub(super) fn stdout_failed() -> bool {
    if let Err(error) = std::io::stdout().flush() {
        failed(&error);
    }
    STDOUT_FAILED.load(Ordering::Relaxed)
}

/// Prints a line that is not a result.
pub(super) fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints `text`; false if it could not be printed. A reader that has gone away is no error.
pub(super) fn stdout(text: &str) -> bool {
    let mut stdout = anstream::stdout();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            note(&format!(
                "error: the report cannot be written to stdout: {error}"
            ));
            false
        }
        _ => true,
    }
}
