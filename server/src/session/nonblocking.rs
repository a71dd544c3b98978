//! Drives a session as a Tokio task.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Connection;
use super::timer::Timer;
use super::wait::Next;
use crate::transport::{Transport, ready_or_would_block};
use crate::{sys, transport};

/// Serves one connection until it ends. The sender of `stopping` must live that long.
pub(crate) async fn serve(
    socket: WatchedSocket,
    mut connection: Connection<'_>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut is_stopping = *stopping.borrow_and_update();
    let mut stop = pin!(stopping.changed());
    let mut alarm = pin!(sleep(connection.config().idle_timeout));
    let mut timer = connection.has_delays().then(Timer::new);
    poll_fn(|context| {
        is_stopping = is_stopping || stop.as_mut().poll(context).is_ready();
        loop {
            let mut transport = PollTransport {
                socket: &socket,
                context,
            };
            let Next::Wait(wait) = connection.step(&mut transport, is_stopping) else {
                return Poll::Ready(());
            };
            if let (Some(timer), Some(due)) = (&mut timer, wait.due)
                && timer.poll(due, context).is_ready()
            {
                continue;
            }
            let until = Instant::from_std(wait.until);
            // The deadline moves with every request. Resetting an alarm that rings early is cheaper
            // than resetting it for every request.
            if until < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(until);
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// A non-blocking socket, registered with a Tokio runtime.
pub(crate) struct WatchedSocket(AsyncFd<OwnedFd>);

impl WatchedSocket {
    /// Registers the socket with the current runtime.
    ///
    /// # Errors
    /// The kernel cannot watch the socket.
    pub(crate) fn new(stream: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&stream, true)?;
        // Priority events are never waited for, but `is_drained` needs them.
        let events = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        sys::watch::watch(stream, events).map(Self)
    }

    /// Whether a read of `count` bytes into a buffer of `size` bytes has emptied the socket. This
    /// saves the read that would return `WouldBlock`.
    ///
    /// A short read usually empties the socket. But a read also stops at the mark of an urgent byte,
    /// with more bytes behind it, and epoll does not report those bytes again. If the urgent byte
    /// had arrived by then, the runtime has seen a priority event and remembers it; if it arrives
    /// later, another event follows. (The runtime also reports priority after a FIN, which is
    /// correct too: there is an end of file to read.)
    fn is_drained(&self, count: usize, size: usize) -> bool {
        let has_urgent = || self.0.try_io(Interest::PRIORITY, |_| Ok(())).is_ok();
        (1..size).contains(&count) && !has_urgent()
    }
}

/// The socket during one poll of its task. An operation that would block registers a wake-up.
struct PollTransport<'a, 'b> {
    socket: &'a WatchedSocket,
    context: &'a mut Context<'b>,
}

impl Transport for PollTransport<'_, '_> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let polled = self.socket.0.poll_read_ready(self.context);
            let mut ready = ready_or_would_block(polled)?;
            match transport::receive(ready.get_inner(), buffer) {
                // The loop polls again, which registers the wake-up.
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                Ok(count) if self.socket.is_drained(count, buffer.len()) => {
                    ready.clear_ready();
                    return Ok(count);
                }
                result => return result,
            }
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let polled = self.socket.0.poll_write_ready(self.context);
            let mut ready = ready_or_would_block(polled)?;
            match transport::send(ready.get_inner(), bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                result => return result,
            }
        }
    }

    fn try_finish(&mut self) -> io::Result<()> {
        transport::finish(&self.socket.0)
    }

    fn has_unread(&self) -> bool {
        transport::has_unread(&self.socket.0)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.0.as_fd()
    }
}
