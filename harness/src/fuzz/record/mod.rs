//! Records the sessions of a real client as cases: a proxy that forwards bytes in both directions.
//!
//! Connections, recorded bytes per session and connection time are limited. A longer session is forwarded to its end,
//! but only its beginning becomes a case.

mod tape;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::tape::Tape;
use super::case::Recorded;
use super::{Case, CaseFile, Data};
use crate::data::hash::fnv1a;

/// Maximum bytes of one read.
const READ_BYTES: usize = 16 * 1024;
/// Maximum time to connect to the upstream server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, usually for lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The settings of a recording proxy.
#[derive(Clone, Debug)]
pub(crate) struct RecordingProxy {
    /// The server that clients want to reach.
    pub upstream: SocketAddr,
    /// The folder for the cases; it must exist.
    pub folder: PathBuf,
    /// Maximum concurrent sessions; further clients wait in the kernel's accept queue.
    pub connections_max: usize,
    /// Maximum recorded bytes of one session.
    pub session_bytes_max: usize,
}

/// How one session ended.
#[derive(Debug)]
pub(crate) enum SessionOutcome {
    /// It was stored as a case.
    Stored {
        /// The file.
        path: PathBuf,
        /// Whether an equal case was stored before.
        known: bool,
        steps: usize,
        /// Recorded bytes.
        bytes: usize,
        /// Whether the session exceeded the limits of a case.
        cut_off: bool,
    },
    /// The client sent nothing.
    Nothing,
    /// The upstream server could not be reached, so the client's connection was closed.
    NoUpstream(io::Error),
    /// The file could not be written.
    NotStored(io::Error),
}

impl RecordingProxy {
    /// Records until `stop` resolves; sessions that are still open then are stored as they are. Calls `tell` at the end
    /// of every session with its number, starting from 1.
    pub(crate) async fn run(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
        mut tell: impl FnMut(u64, SessionOutcome),
    ) {
        let (over, seen) = watch::channel(false);
        let mut sessions = JoinSet::new();
        let mut begun = 0;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(done) = sessions.join_next() => {
                    if let Ok((number, ended)) = done {
                        tell(number, ended);
                    }
                }
                accepted = listener.accept(), if sessions.len() < self.connections_max => {
                    let Ok((client, _)) = accepted else {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    begun += 1;
                    let (recorder, seen, number) = (self.clone(), seen.clone(), begun);
                    sessions.spawn(async move { (number, recorder.session(client, seen).await) });
                }
            }
        }
        drop(listener);
        let _ = over.send(true);
        while let Some(done) = sessions.join_next().await {
            if let Ok((number, ended)) = done {
                tell(number, ended);
            }
        }
    }

    async fn session(
        &self,
        mut client: TcpStream,
        mut over: watch::Receiver<bool>,
    ) -> SessionOutcome {
        let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(self.upstream));
        let mut upstream = match connecting.await {
            Ok(Ok(upstream)) => upstream,
            Ok(Err(error)) => return SessionOutcome::NoUpstream(error),
            Err(_) => return SessionOutcome::NoUpstream(io::ErrorKind::TimedOut.into()),
        };
        // Forward pieces without delay.
        let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
        let tape = Arc::new(Mutex::new(Tape::new(self.session_bytes_max)));
        tokio::select! {
            () = pass(&mut client, &mut upstream, &tape) => {}
            _ = over.changed() => {}
        }
        drop((client, upstream));
        let tape = lock(&tape);
        match tape.case() {
            None => SessionOutcome::Nothing,
            Some(case) => match store(&self.folder, &case, &recorded(&tape)) {
                Err(error) => SessionOutcome::NotStored(error),
                Ok((path, known)) => SessionOutcome::Stored {
                    path,
                    known,
                    steps: case.steps.len(),
                    bytes: case.bytes(),
                    cut_off: tape.cut_off,
                },
            },
        }
    }
}

/// How one direction ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DirectionEnd {
    /// FIN, which was forwarded.
    Fin,
    /// The side that was read reset its connection.
    SourceReset,
    /// The side that was written to no longer accepts bytes.
    SinkClosed,
}

/// Forwards bytes in both directions until both sides have finished or one has disconnected; then the other side is
/// reset.
async fn pass(client: &mut TcpStream, upstream: &mut TcpStream, tape: &Mutex<Tape>) {
    let gone = {
        let (from_client, to_client) = client.split();
        let (from_upstream, to_upstream) = upstream.split();
        let up = one_way(from_client, to_upstream, |bytes| match bytes {
            Some(bytes) => lock(tape).sent(bytes),
            None => lock(tape).finished(),
        });
        let down = one_way(from_upstream, to_client, |bytes| {
            if let Some(bytes) = bytes {
                lock(tape).replied(bytes);
            }
        });
        tokio::pin!(up, down);
        let (mut up_end, mut down_end) = (None, None);
        loop {
            tokio::select! {
                end = &mut up, if up_end.is_none() => up_end = Some(end),
                end = &mut down, if down_end.is_none() => down_end = Some(end),
            }
            if up_end == Some(DirectionEnd::SourceReset)
                || down_end == Some(DirectionEnd::SinkClosed)
            {
                break Some(true);
            }
            if up_end == Some(DirectionEnd::SinkClosed)
                || down_end == Some(DirectionEnd::SourceReset)
            {
                break Some(false);
            }
            if up_end.is_some() && down_end.is_some() {
                break None;
            }
        }
    };
    let Some(client_has_gone) = gone else { return };
    if client_has_gone {
        lock(tape).disconnected();
    }
    let other = if client_has_gone { upstream } else { client };
    let _ = socket2::SockRef::from(&*other).set_linger(Some(Duration::ZERO));
}

/// Forwards bytes in one direction. Calls `tell` with each piece, and with `None` at the end, before forwarding it.
async fn one_way(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut tell: impl FnMut(Option<&[u8]>),
) -> DirectionEnd {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => {
                tell(None);
                let _ = to.shutdown().await;
                return DirectionEnd::Fin;
            }
            Ok(count) => {
                tell(Some(&buffer[..count]));
                if to.write_all(&buffer[..count]).await.is_err() {
                    return DirectionEnd::SinkClosed;
                }
            }
            Err(_) => return DirectionEnd::SourceReset,
        }
    }
}

/// The replies of the session.
fn recorded(tape: &Tape) -> Recorded {
    Recorded {
        replies: Data::from(&tape.replies[..]),
        complete: tape.is_complete(),
        counts: tape.counts.clone(),
    }
}

/// A tape stays valid even if a thread panicked while it held the lock.
fn lock(tape: &Mutex<Tape>) -> std::sync::MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the case atomically, under a name derived from its content, so that equal cases are stored once. Returns
/// the path and whether it existed before.
fn store(folder: &Path, case: &Case, recorded: &Recorded) -> io::Result<(PathBuf, bool)> {
    let mut file = CaseFile::of(vec![case.clone()]);
    // The replies may differ every time: the first ones are kept.
    let text = file.text();
    file.recorded = Some(recorded.clone());
    let whole = file.text();
    let path = folder.join(format!("recorded-{:016x}.json", fnv1a(text.as_bytes())));
    if path.exists() {
        return Ok((path, true));
    }
    let mut made = tempfile::Builder::new()
        .prefix(".recorded-")
        .tempfile_in(folder)?;
    made.write_all(whole.as_bytes())?;
    match made.persist_noclobber(&path) {
        Ok(_) => Ok((path, false)),
        // Another session stored an equal case at the same time.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok((path, true)),
        Err(error) => Err(error.error),
    }
}
