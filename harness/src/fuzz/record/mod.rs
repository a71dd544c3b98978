//! A real client's sessions become cases: a proxy that passes bytes both ways and writes down what the client
//! does.
//!
//! Everything is bounded: connections at a time, bytes of a session that are kept, and the time of it all. A
//! session that is too long is passed on to its end; only its beginning becomes a case.

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
use super::{Case, CaseFile};
use crate::data::hash::fnv1a;

/// Bytes that one read takes.
const READ_BYTES: usize = 16 * 1024;
/// How long the upstream may take to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// After a failed accept (no descriptors, as a rule) nothing is tried for this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where sessions go, and the limits.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The server that the clients mean.
    pub upstream: SocketAddr,
    /// The folder for the cases; it must be there.
    pub folder: PathBuf,
    /// Sessions at a time; more clients wait in the kernel's queue.
    pub connections_max: usize,
    /// Bytes of one session that are kept.
    pub session_bytes_max: usize,
}

/// What came of one session.
#[derive(Debug)]
pub enum SessionOutcome {
    /// It is a case now.
    Stored {
        /// Its file.
        path: PathBuf,
        /// Whether an equal session was stored before.
        known: bool,
        /// Its steps.
        steps: usize,
        /// Bytes that the client sent.
        bytes: usize,
        /// Whether it was longer than a case can be.
        cut_off: bool,
    },
    /// The client sent nothing.
    Nothing,
    /// The upstream could not be reached; the client's connection was closed.
    NoUpstream(io::Error),
    /// The file could not be written.
    NotStored(io::Error),
}

impl Recorder {
    /// Records until `stop` resolves; sessions that go on then are stored as they are. Every session's end is told
    /// with its number, from 1.
    pub async fn run(
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
        // Pieces are passed on as they come.
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
            Some(case) => match store(&self.folder, &case) {
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
    /// FIN, which was passed on.
    Fin,
    /// The side that is read reset its connection, or what is sent to the other side is not taken.
    ByReader,
    ByWriter,
}

/// Passes bytes both ways until both sides are done or one has gone away; then the other side is reset too.
async fn pass(client: &mut TcpStream, upstream: &mut TcpStream, tape: &Mutex<Tape>) {
    let gone = {
        let (from_client, to_client) = client.split();
        let (from_upstream, to_upstream) = upstream.split();
        let up = one_way(from_client, to_upstream, |bytes| match bytes {
            Some(bytes) => lock(tape).sent(bytes),
            None => lock(tape).finished(),
        });
        let down = one_way(from_upstream, to_client, |bytes| {
            if bytes.is_some() {
                lock(tape).answered();
            }
        });
        tokio::pin!(up, down);
        let (mut up_end, mut down_end) = (None, None);
        loop {
            tokio::select! {
                end = &mut up, if up_end.is_none() => up_end = Some(end),
                end = &mut down, if down_end.is_none() => down_end = Some(end),
            }
            if up_end == Some(DirectionEnd::ByReader) || down_end == Some(DirectionEnd::ByWriter) {
                break Some(true);
            }
            if up_end == Some(DirectionEnd::ByWriter) || down_end == Some(DirectionEnd::ByReader) {
                break Some(false);
            }
            if up_end.is_some() && down_end.is_some() {
                break None;
            }
        }
    };
    let Some(client_has_gone) = gone else { return };
    if client_has_gone {
        lock(tape).went_away();
    }
    let other = if client_has_gone { upstream } else { client };
    let _ = socket2::SockRef::from(&*other).set_linger(Some(Duration::ZERO));
}

/// Passes bytes one way; each piece, and the end as `None`, is told when it has come and before it is passed on.
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
                    return DirectionEnd::ByWriter;
                }
            }
            Err(_) => return DirectionEnd::ByReader,
        }
    }
}

/// Nothing panics while a tape is held; if something did, what is on it is still true.
fn lock(tape: &Mutex<Tape>) -> std::sync::MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the case into the folder, whole or not at all. Its name goes by what is in it: equal ones are stored
/// once. True if one was there before.
fn store(folder: &Path, case: &Case) -> io::Result<(PathBuf, bool)> {
    let text = CaseFile::of(vec![case.clone()]).text();
    let path = folder.join(format!("recorded-{:016x}.json", fnv1a(text.as_bytes())));
    if path.exists() {
        return Ok((path, true));
    }
    let mut file = tempfile::Builder::new()
        .prefix(".recorded-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok((path, false)),
        // Another session was as fast.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok((path, true)),
        Err(error) => Err(error.error),
    }
}
