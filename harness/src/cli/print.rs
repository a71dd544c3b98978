//! Prints on stdout and stderr.

use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether printing a result on stdout has failed.
static STDOUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Prints a line of results on stdout. A closed pipe (`| head`) is not an error.
pub(super) fn say(line: &str) {
    if let Err(error) = writeln!(anstream::stdout(), "{line}") {
        failed(&error);
    }
}

/// Prints bytes on stdout as they are. A closed pipe is not an error.
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

/// Flushes stdout. Returns whether any result could not be printed.
pub(super) fn stdout_failed() -> bool {
    if let Err(error) = std::io::stdout().flush() {
        failed(&error);
    }
    STDOUT_FAILED.load(Ordering::Relaxed)
}

/// Prints a line on stderr.
pub(super) fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints `text` on stdout. Prints the error and returns false if that fails; a closed pipe is not an error.
pub(super) fn stdout(text: &str) -> bool {
    let mut stdout = anstream::stdout();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            note(&format!(
                "error: cannot write the report to stdout: {error}"
            ));
            false
        }
        _ => true,
    }
}
