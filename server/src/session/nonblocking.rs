//! Drives a session as a Tokio task.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Session;
use super::timer::Timer;
use super::transport::{self, Step, Transport};
use crate::sys;

/// Carries one connection until it has ended. The sender of `stopping` is kept for as long.
pub(crate) async fn serve(
    wire: Wire,
    mut session: Session<'_>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut told = *stopping.borrow_and_update();
    let mut stop = pin!(stopping.changed());
    let mut alarm = pin!(sleep(session.config.idle_timeout));
    let mut timer = session.held.is_some().then(Timer::new);
    poll_fn(|context| {
        told = told || stop.as_mut().poll(context).is_ready();
        loop {
            let mut polled = Polled {
                wire: &wire,
                context,
            };
            let Step::Wait(wait) = session.step(&mut polled, told) else {
                return Poll::Ready(());
            };
            if let (Some(timer), Some(due)) = (&mut timer, wait.due)
                && timer.poll(due, context).is_ready()
            {
                continue;
            }
            let until = Instant::from_std(wait.until);
            // The moment moves on with every request. An alarm that rings early is set again,
            // which is cheaper than to set it each time.
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

/// A non-blocking socket that a Tokio runtime watches.
pub(crate) struct Wire {
    socket: AsyncFd<TcpStream>,
}

impl Wire {
    /// Has the runtime that this is called in watch the socket.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Nobody waits for urgent bytes; that there are some is good to know, see `drained_by`.
        let events = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        let socket = sys::watch::watch(stream, events)?;
        Ok(Self { socket })
    }

    /// Whether a read of so many bytes into so much room was the last for now: then the read that
    /// would find `WouldBlock` is saved.
    ///
    /// As a rule a short read is. But a read also ends at the mark of an urgent byte, with more
    /// behind it, and the readiness that was reported for all of it is not reported again. If the
    /// urgent byte was there by then, the report said so, and the runtime remembers it for good;
    /// if it came later, another report is still to come. (The runtime also says yes once the peer
    /// has finished, and then there is a FIN to be read.)
    fn drained_by(&self, count: usize, room: usize) -> bool {
        let has_urgent = || self.socket.try_io(Interest::PRIORITY, |_| Ok(())).is_ok();
        (1..room).contains(&count) && !has_urgent()
    }
}

/// The socket during one poll of its task: what would block wakes the task later.
struct Polled<'a, 'b> {
    wire: &'a Wire,
    context: &'a mut Context<'b>,
}

impl Transport for Polled<'_, '_> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let polled = self.wire.socket.poll_read_ready(self.context);
            let mut ready = now_or_would_block(polled)?;
            match ready.get_inner().read(buffer) {
                // Now the task is woken by what comes next; it may just have come.
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                Ok(count) if self.wire.drained_by(count, buffer.len()) => {
                    ready.clear_ready();
                    return Ok(count);
                }
                result => return result,
            }
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let polled = self.wire.socket.poll_write_ready(self.context);
            let mut ready = now_or_would_block(polled)?;
            match ready.get_inner().write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                result => return result,
            }
        }
    }

    fn try_finish(&mut self) -> io::Result<()> {
        transport::finish(&self.wire.socket)
    }

    fn has_unread(&self) -> bool {
        transport::has_unread(&self.wire.socket)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.wire.socket.as_fd()
    }
}

pub(super) fn now_or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
