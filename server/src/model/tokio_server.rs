//! The event loop shared by the Tokio models and the workers of prefork.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::accept::{self, PAUSE, ThrottledWarnings};
use super::admission::{Admission, Ruling, Seat};
use crate::config::hooks::Retry;
use crate::delay::{ConnectionDelays, Delays};
use crate::session::Session;
use crate::session::nonblocking::{self, WatchedSocket};
use crate::{Config, ServerError, Shutdown, sys};

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
    accept::ensure_descriptor(listener.as_fd())?;
    let drain = config.drain;
    let (stop, stopping) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let admission = Admission::new(config.max_connections);
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
    drop((listener, context));
    // Sending fails if there are no connections, which is fine.
    let _ = stop.send(true);
    if timeout(drain + GRACE, all_gone.recv()).await.is_err() {
        tracing::warn!("connections remain after the drain");
    }
    Ok(())
}

/// Starts a task for each connection. Never returns.
async fn accept_each(listener: &AsyncFd<TcpListener>, context: &TaskContext) {
    let mut warnings = ThrottledWarnings::default();
    loop {
        match listener
            .async_io(Interest::READABLE, TcpListener::accept)
            .await
        {
            Ok((stream, peer)) => {
                // On an error the stream has been dropped, which closes the connection.
                if let Err(error) = spawn(listener, context, stream, peer) {
                    warnings.warn("cannot watch a connection", &error);
                }
            }
            Err(error) => {
                match accept::failed(listener.as_fd(), &error, &context.config, &mut warnings) {
                    Retry::Now => tokio::task::yield_now().await,
                    Retry::Later => sleep(PAUSE).await,
                }
            }
        }
    }
}

fn spawn(
    listener: &AsyncFd<TcpListener>,
    context: &TaskContext,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    let (seat, refuse) = match context.admission.admit() {
        Ruling::Serve(seat) => (seat, false),
        Ruling::Refuse(seat) => (seat, true),
        Ruling::Drop => return Ok(()),
    };
    accept::accepted(listener.as_fd(), stream.as_fd(), &context.config);
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
    peer: SocketAddr,
    refuse: bool,
    _seat: Seat,
) {
    let config = &*context.config;
    let session = if refuse {
        Session::refusing(config, peer)
    } else {
        Session::new(config, delays, peer)
    };
    nonblocking::serve(socket, session, context.stopping.clone()).await;
}
