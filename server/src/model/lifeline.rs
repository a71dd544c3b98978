//! A worker's end of the pipe to its parent (see [`prefork`](super::prefork)).

use std::io::{self, Read};

use crate::Shutdown;

/// Watches the pipe on standard input: a byte triggers the shutdown, the end of the pipe exits the
/// process because the parent is gone.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn watch_lifeline(shutdown: Shutdown) -> io::Result<()> {
    let watch = move || {
        let mut byte = [0];
        loop {
            match io::stdin().read(&mut byte) {
                Ok(1) => {
                    shutdown.trigger();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => std::process::exit(0),
            }
        }
    };
    std::thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(watch)
        .map(drop)
}
