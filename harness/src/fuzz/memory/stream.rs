//! An in-memory connection: the server has a stream, the client an end that the driver controls.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply::StreamEnd;

/// Maximum bytes that the stream accepts before the client reads them.
pub const WRITE_BYTES_MAX: usize = 16 << 10;
/// Maximum bytes kept of what a client receives; all are counted.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The server's end of a connection.
///
/// Reads return what the client has sent, and otherwise wait. Dropping the stream closes the connection.
#[derive(Debug)]
pub struct MemoryStream {
    pipe: Arc<Mutex<Pipe>>,
}

/// The client's end.
pub(super) struct ClientEnd {
    pipe: Arc<Mutex<Pipe>>,
}

/// How a client has left the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// It sends nothing more, but continues to read.
    Finished,
    /// It neither sends nor reads any more.
    Closed,
    /// It reset the connection.
    Reset,
}

#[derive(Debug, Default)]
struct Pipe {
    /// The bytes from the client. The server has read those before `taken`.
    input: Vec<u8>,
    taken: usize,
    left: Option<Departure>,
    /// The first bytes that the client received.
    output: Vec<u8>,
    received: u64,
    /// Bytes that the server may write before the client reads.
    room: usize,
    /// The server has shut down writing.
    finished: bool,
    /// The server has dropped its end.
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both ends of a new connection.
pub(super) fn pair() -> (ClientEnd, MemoryStream) {
    let pipe = Arc::new(Mutex::new(Pipe {
        room: WRITE_BYTES_MAX,
        ..Pipe::default()
    }));
    let client = ClientEnd {
        pipe: Arc::clone(&pipe),
    };
    (client, MemoryStream { pipe })
}

/// The state stays valid even if a service panicked while it held the lock.
fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientEnd {
    /// Sends bytes, unless one of the ends has left.
    pub(super) fn send(&self, bytes: &[u8]) {
        let mut pipe = lock(&self.pipe);
        if pipe.left.is_none() && !pipe.dropped {
            pipe.input.extend_from_slice(bytes);
            wake(&mut pipe.reader);
        }
    }

    /// Finishes, closes or resets the connection. Only a finished connection can still be closed or reset.
    pub(super) fn leave(&self, how: Departure) {
        let mut pipe = lock(&self.pipe);
        if matches!(pipe.left, None | Some(Departure::Finished)) {
            pipe.left = Some(how);
            wake(&mut pipe.reader);
            wake(&mut pipe.writer);
        }
    }

    /// Reads what the server has written, which makes room for more.
    pub(super) fn read(&self) {
        let mut pipe = lock(&self.pipe);
        pipe.room = WRITE_BYTES_MAX;
        wake(&mut pipe.writer);
    }

    /// The received bytes, their number, and what the server has done with the connection.
    pub(super) fn answer(self) -> (Vec<u8>, u64, StreamEnd) {
        let mut pipe = lock(&self.pipe);
        let end = match (pipe.dropped, pipe.finished) {
            (true, _) => StreamEnd::Closed,
            (false, true) => StreamEnd::Finished,
            (false, false) => StreamEnd::Open,
        };
        (std::mem::take(&mut pipe.output), pipe.received, end)
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.pipe);
        let pipe = &mut *pipe;
        let unread = &pipe.input[pipe.taken..];
        if !unread.is_empty() {
            let count = unread.len().min(buffer.remaining());
            buffer.put_slice(&unread[..count]);
            pipe.taken += count;
            if pipe.taken == pipe.input.len() {
                pipe.input.clear();
                pipe.taken = 0;
            }
            return Poll::Ready(Ok(()));
        }
        match pipe.left {
            None => wait(&mut pipe.reader, context),
            Some(Departure::Finished | Departure::Closed) => Poll::Ready(Ok(())),
            Some(Departure::Reset) => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.pipe);
        if pipe.finished || matches!(pipe.left, Some(Departure::Closed | Departure::Reset)) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if pipe.room == 0 && !bytes.is_empty() {
            return wait(&mut pipe.writer, context);
        }
        let count = bytes.len().min(pipe.room);
        pipe.room -= count;
        pipe.received += count as u64;
        let kept = count.min(ANSWER_BYTES_MAX - pipe.output.len());
        pipe.output.extend_from_slice(&bytes[..kept]);
        Poll::Ready(Ok(count))
    }

    /// Written bytes are visible to the client immediately.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.pipe).finished = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        lock(&self.pipe).dropped = true;
    }
}

/// Registers the task to be woken.
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
