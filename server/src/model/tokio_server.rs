//! The event loop shared by the Tokio models and the workers of prefork.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::accept::{PAUSE, ThrottledWarnings, accepted, ensure_descriptor, failed};
use super::admission::{Admission, Ruling, Seat};
use crate::config::hooks::Retry;
use crate::delay::{ConnectionDelays, Delays};
use crate::listen::accept;
use crate::peer::Peer;
use crate::session::Connection;
use crate::session::nonblocking::{self, WatchedSocket};
use crate::{Config, Listener, ServerError, Shutdown, sys};

/// Time that connections get to notice the end of the drain.
const GRACE: Duration = Duration::from_secs(1);

/// What every task needs to serve its connection.
#[derive(Clone)]
struct TaskContext {
    config: Arc<Config>,
    delays: Delays,
    admission: Arc<Admission>,
    stopping: watch::Receiver<bool>,
    /// Held by every task, so that the channel closes when the last one ends.
    _alive: mpsc::Sender<()>,
}

/// Serves until the shutdown, then waits for the connections to drain.
pub(super) async fn run(
    listener: Listener,
    config: Config,
    delays: Delays,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    // The file of a Unix socket is removed when nobody listens any more.
    let (listener, file) = listener.into_parts();
    let listener = sys::watch::watch(listener, Interest::READABLE)
        .map_err(ServerError::start("watch the listener"))?;
    let event = shutdown
        .watch()
        .map_err(ServerError::start("watch the shutdown"))?;
    ensure_descriptor(listener.as_fd())?;
    let drain = config.drain;
    let (stop, stopping) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let admission = Admission::new(&config);
    let context = TaskContext {
        config: Arc::new(config),
        delays,
        admission,
        stopping,
        _alive: alive,
    };
    tokio::select! {
        triggered = event.readable() => {
            // The event stays readable, so its readiness is kept.
            triggered.map_err(ServerError::start("watch the shutdown"))?.retain_ready();
        }
        () = accept_each(&listener, &context) => {}
    }
    drop((listener, file, context));
    // Sending fails if there are no connections, which is fine.
    let _ = stop.send(true);
    if timeout(drain + GRACE, all_gone.recv()).await.is_err() {
        tracing::warn!("connections remain after the drain");
    }
    Ok(())
}

/// Starts a task for each connection. Never returns.
async fn accept_each(listener: &AsyncFd<OwnedFd>, context: &TaskContext) {
    let mut warnings = ThrottledWarnings::default();
    loop {
        match listener
            .async_io(Interest::READABLE, |listener| accept(listener))
            .await
        {
            Ok((stream, peer)) => {
                // On an error the stream has been dropped, which closes the connection.
                if let Err(error) = spawn(listener, context, stream, peer) {
                    warnings.warn("cannot watch a connection", &error);
                }
            }
            Err(error) => match failed(listener.as_fd(), &error, &context.config, &mut warnings) {
                Retry::Now => tokio::task::yield_now().await,
                Retry::Later => sleep(PAUSE).await,
            },
        }
    }
}

fn spawn(
    listener: &AsyncFd<OwnedFd>,
    context: &TaskContext,
    stream: OwnedFd,
    peer: Peer,
) -> io::Result<()> {
    let (seat, refuse) = match context.admission.admit() {
        Ruling::Serve(seat) => (seat, false),
        Ruling::Refuse(seat) => (seat, true),
        Ruling::Drop => return Ok(()),
    };
    accepted(listener.as_fd(), stream.as_fd(), &context.config);
    // Called here rather than in the task, so that the delays follow the order of the connections.
    let delays = context.delays.next_connection();
    let socket = WatchedSocket::new(stream)?;
    tokio::spawn(serve(context.clone(), delays, socket, peer, refuse, seat));
    Ok(())
}

async fn serve(
    context: TaskContext,
    delays: Option<ConnectionDelays>,
    socket: WatchedSocket,
    peer: Peer,
    refuse: bool,
    _seat: Seat,
) {
    let config = &*context.config;
    let connection = if refuse {
        Connection::refusing(config, peer)
    } else {
        Connection::new(config, delays, peer)
    };
    nonblocking::serve(socket, connection, context.stopping.clone()).await;
}
