//! The event loop that the Tokio models and the workers of prefork share.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::accept::{self, Complaints, PAUSE};
use super::admission::{Admission, Entry, Seat};
use crate::delay::{Delays, Draws};
use crate::hooks::Retry;
use crate::session::Session;
use crate::session::nonblocking::{self, Wire};
use crate::{Config, ServerError, Shutdown, sys};

/// What connections get to notice that the drain is over.
const GRACE: Duration = Duration::from_secs(1);

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    delays: Delays,
    admission: Arc<Admission>,
    stopping: watch::Receiver<bool>,
    /// Held by every connection, so that its end is seen when the last one is gone.
    _alive: mpsc::Sender<()>,
}

/// Serves until the shutdown, then waits for the connections to drain.
pub(super) async fn run(
    listener: TcpListener,
    config: Config,
    delays: Delays,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    let listener = sys::watch::watch(listener, Interest::READABLE)
        .map_err(ServerError::start("watch the listener"))?;
    let event = shutdown
        .watch()
        .map_err(ServerError::start("watch the shutdown"))?;
    accept::ensure_room(listener.as_fd())?;
    let drain = config.drain;
    let (stop, stopping) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let admission = Admission::new(config.max_connections);
    let shared = Shared {
        config: Arc::new(config),
        delays,
        admission,
        stopping,
        _alive: alive,
    };
    tokio::select! {
        triggered = event.readable() => {
            // It stays readable: there is nothing to clear.
            triggered.map_err(ServerError::start("watch the shutdown"))?.retain_ready();
        }
        () = accept_each(&listener, &shared) => {}
    }
    drop((listener, shared));
    // No receiver means no connection, and that is well.
    let _ = stop.send(true);
    if timeout(drain + GRACE, all_gone.recv()).await.is_err() {
        tracing::warn!("connections left behind after the drain");
    }
    Ok(())
}

/// Gives each connection a task, for ever.
async fn accept_each(listener: &AsyncFd<TcpListener>, shared: &Shared) {
    let mut complaints = Complaints::default();
    loop {
        match listener
            .async_io(Interest::READABLE, TcpListener::accept)
            .await
        {
            Ok((stream, peer)) => {
                // The connection that cannot be watched is dropped, and thereby closed.
                if let Err(error) = spawn(listener, shared, stream, peer) {
                    complaints.warn("cannot watch a connection", &error);
                }
            }
            Err(error) => {
                match accept::refused(listener.as_fd(), &error, &shared.config, &mut complaints) {
                    Retry::Now => tokio::task::yield_now().await,
                    Retry::Later => sleep(PAUSE).await,
                }
            }
        }
    }
}

fn spawn(
    listener: &AsyncFd<TcpListener>,
    shared: &Shared,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    let (seat, refuse) = match shared.admission.enter() {
        Entry::Serve(seat) => (seat, false),
        Entry::Refuse(seat) => (seat, true),
        Entry::Drop => return Ok(()),
    };
    accept::accepted(listener.as_fd(), stream.as_fd(), &shared.config);
    // Here and not in its task, so that the order of the connections decides.
    let draws = shared.delays.next_connection();
    let wire = Wire::new(stream)?;
    tokio::spawn(serve(shared.clone(), draws, wire, peer, refuse, seat));
    Ok(())
}

async fn serve(
    shared: Shared,
    draws: Option<Draws>,
    wire: Wire,
    peer: SocketAddr,
    refuse: bool,
    _seat: Seat,
) {
    let config = &*shared.config;
    let session = if refuse {
        Session::refusing(config, peer)
    } else {
        Session::new(config, draws, peer)
    };
    nonblocking::serve(wire, session, shared.stopping.clone()).await;
}
