//! A connection in memory: the server's end is a stream, the client's end is told what to do.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply::StreamEnd;

/// The stream takes so many bytes of replies before the client reads.
pub const WRITE_BYTES_MAX: usize = 16 << 10;
/// What is kept of a connection's answer; of the rest only the length.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The server's end of a connection.
///
/// What the client has sent is there to be read; otherwise reads wait. Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream {
    wire: Arc<Mutex<Wire>>,
}

/// The client's end.
pub(super) struct Client {
    wire: Arc<Mutex<Wire>>,
}

/// How a client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// It sends nothing more, and reads on.
    Finished,
    /// It sends nothing more and reads nothing more.
    Closed,
    /// It broke the connection.
    Reset,
}

#[derive(Debug, Default)]
struct Wire {
    /// What the client sent. The server has read the bytes before `taken`.
    input: Vec<u8>,
    taken: usize,
    gone: Option<Gone>,
    /// What the client received, up to a limit.
    output: Vec<u8>,
    received: u64,
    /// How much more the server may write before the client reads.
    room: usize,
    /// The server has said that nothing more would come.
    finished: bool,
    /// The server has let go of its end.
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both ends of a new connection.
pub(super) fn pair() -> (Client, Stream) {
    let wire = Arc::new(Mutex::new(Wire {
        room: WRITE_BYTES_MAX,
        ..Wire::default()
    }));
    let client = Client {
        wire: Arc::clone(&wire),
    };
    (client, Stream { wire })
}

/// A service that panicked is never asked again, so what it left locked is as good as any.
fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Has the bytes arrive, unless one of both ends has left.
    pub(super) fn send(&self, bytes: &[u8]) {
        let mut wire = lock(&self.wire);
        if wire.gone.is_none() && !wire.dropped {
            wire.input.extend_from_slice(bytes);
            wake(&mut wire.reader);
        }
    }

    /// Finishes, closes or breaks the connection; what was done before stays done.
    pub(super) fn leave(&self, how: Gone) {
        let mut wire = lock(&self.wire);
        if matches!(wire.gone, None | Some(Gone::Finished)) {
            wire.gone = Some(how);
            wake(&mut wire.reader);
            wake(&mut wire.writer);
        }
    }

    /// Reads what the server has written, which makes room.
    pub(super) fn read(&self) {
        let mut wire = lock(&self.wire);
        wire.room = WRITE_BYTES_MAX;
        wake(&mut wire.writer);
    }

    /// What was received, its whole length, and what the server has done with the connection.
    pub(super) fn answer(self) -> (Vec<u8>, u64, StreamEnd) {
        let mut wire = lock(&self.wire);
        let end = match (wire.dropped, wire.finished) {
            (true, _) => StreamEnd::Closed,
            (false, true) => StreamEnd::Finished,
            (false, false) => StreamEnd::Open,
        };
        (std::mem::take(&mut wire.output), wire.received, end)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.wire);
        let wire = &mut *wire;
        let unread = &wire.input[wire.taken..];
        if !unread.is_empty() {
            let count = unread.len().min(buffer.remaining());
            buffer.put_slice(&unread[..count]);
            wire.taken += count;
            if wire.taken == wire.input.len() {
                wire.input.clear();
                wire.taken = 0;
            }
            return Poll::Ready(Ok(()));
        }
        match wire.gone {
            None => wait(&mut wire.reader, context),
            Some(Gone::Finished | Gone::Closed) => Poll::Ready(Ok(())),
            Some(Gone::Reset) => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = lock(&self.wire);
        if wire.finished || matches!(wire.gone, Some(Gone::Closed | Gone::Reset)) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if wire.room == 0 && !bytes.is_empty() {
            return wait(&mut wire.writer, context);
        }
        let count = bytes.len().min(wire.room);
        wire.room -= count;
        wire.received += count as u64;
        let kept = count.min(ANSWER_BYTES_MAX - wire.output.len());
        wire.output.extend_from_slice(&bytes[..kept]);
        Poll::Ready(Ok(count))
    }

    /// The client sees all that was written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.wire).finished = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        lock(&self.wire).dropped = true;
    }
}

/// Has the task woken when there is something for it.
fn wait<T>(place: &mut Option<Waker>, context: &Context<'_>) -> Poll<T> {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
    Poll::Pending
}

fn wake(place: &mut Option<Waker>) {
    if let Some(waker) = place.take() {
        waker.wake();
    }
}
