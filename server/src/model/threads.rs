//! One thread per connection.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use super::accept::{self, ThrottledWarnings};
use super::admission::{Admission, Ruling, Seat};
use crate::delay::{ConnectionDelays, Delays};
use crate::peer::Peer;
use crate::session::{Connection, blocking};
use crate::{Config, Listener, ServerError, Shutdown};

/// Stack size of a connection's thread. A session needs a fraction of it; Rust's default is 2 MiB.
const STACK_BYTES: usize = 256 * 1024;
/// Time that connections get to notice the end of the drain.
const GRACE: Duration = Duration::from_secs(1);

/// What every thread needs to serve its connection.
struct ThreadContext {
    config: Config,
    delays: Delays,
    shutdown: Shutdown,
}

/// Serves until the shutdown, then waits for the connections to drain.
pub(super) fn run(
    listener: Listener,
    config: Config,
    delays: Delays,
    shutdown: Shutdown,
) -> Result<(), ServerError> {
    let admission = Admission::new(&config);
    let drain = config.drain;
    let context = Arc::new(ThreadContext {
        config,
        delays,
        shutdown,
    });
    let mut warnings = ThrottledWarnings::default();
    accept::each(
        &listener,
        &context.config,
        &context.shutdown,
        |stream, peer| {
            // On an error the stream has been dropped with the closure, which closes the connection.
            if let Err(error) = spawn(&context, &admission, stream, peer) {
                warnings.warn("cannot start a thread", &error);
            }
        },
    )?;
    drop(listener);
    admission.wait_empty(drain + GRACE);
    Ok(())
}

fn spawn(
    context: &Arc<ThreadContext>,
    admission: &Arc<Admission>,
    stream: OwnedFd,
    peer: Peer,
) -> io::Result<()> {
    let (seat, refuse) = match admission.admit() {
        Ruling::Serve(seat) => (seat, false),
        Ruling::Refuse(seat) => (seat, true),
        Ruling::Drop => return Ok(()),
    };
    // Called here rather than in the thread, so that the delays follow the order of the connections.
    let delays = context.delays.next_connection();
    let context = Arc::clone(context);
    thread::Builder::new()
        .name("connection".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || serve(&context, delays, stream, peer, refuse, seat))
        .map(drop)
}

fn serve(
    context: &ThreadContext,
    delays: Option<ConnectionDelays>,
    stream: OwnedFd,
    peer: Peer,
    refuse: bool,
    _seat: Seat,
) {
    let config = &context.config;
    let connection = if refuse {
        Connection::refusing(config, peer.clone())
    } else {
        Connection::new(config, delays, peer.clone())
    };
    if let Err(error) = blocking::serve(stream, connection, &context.shutdown, config.hooks()) {
        tracing::warn!(%peer, %error, "cannot serve the connection");
    }
}
