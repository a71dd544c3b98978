//! A thread for each connection.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use super::accept::{self, Complaints};
use super::admission::{Admission, Entry, Seat};
use crate::delay::{Delays, Draws};
use crate::session::{Session, blocking};
use crate::{Config, ServerError, Shutdown};

/// A session needs a fraction of it; the rest of the usual 2 MiB would only be reserved.
const STACK_BYTES: usize = 256 * 1024;
/// What connections get to notice that the drain is over.
const GRACE: Duration = Duration::from_secs(1);

struct Shared {
    config: Config,
    delays: Delays,
    shutdown: Shutdown,
}

/// Serves until the shutdown, then waits for the connections to drain.
pub(super) fn run(
    listener: TcpListener,
    config: Config,
    delays: Delays,
    shutdown: Shutdown,
) -> Result<(), ServerError> {
    let admission = Admission::new(config.max_connections);
    let drain = config.drain;
    let shared = Arc::new(Shared {
        config,
        delays,
        shutdown,
    });
    let mut complaints = Complaints::default();
    accept::each(
        &listener,
        &shared.config,
        &shared.shutdown,
        |stream, peer| {
            // The closure that was not spawned is dropped, and closes the connection.
            if let Err(error) = spawn(&shared, &admission, stream, peer) {
                complaints.warn("cannot start a thread", &error);
            }
        },
    )?;
    drop(listener);
    admission.wait_empty(drain + GRACE);
    Ok(())
}

fn spawn(
    shared: &Arc<Shared>,
    admission: &Arc<Admission>,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    let (seat, refuse) = match admission.enter() {
        Entry::Serve(seat) => (seat, false),
        Entry::Refuse(seat) => (seat, true),
        Entry::Drop => return Ok(()),
    };
    // Here and not in its thread, so that the order of the connections decides.
    let draws = shared.delays.next_connection();
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("connection".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || serve(&shared, draws, stream, peer, refuse, seat))
        .map(drop)
}

fn serve(
    shared: &Shared,
    draws: Option<Draws>,
    stream: TcpStream,
    peer: SocketAddr,
    refuse: bool,
    _seat: Seat,
) {
    let config = &shared.config;
    let session = if refuse {
        Session::refusing(config, peer)
    } else {
        Session::new(config, draws, peer)
    };
    if let Err(error) = blocking::serve(stream, session, &shared.shutdown, config.hooks().watch) {
        tracing::warn!(%peer, %error, "cannot serve");
    }
}
