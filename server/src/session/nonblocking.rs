//! Drives a session as a Tokio task.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Session;
use super::timer::Timer;
use super::transport::{Step, Transport};

/// Carries one connection until it has ended. The sender of `stopping` is kept for as long.
pub(crate) async fn serve(
    mut stream: TcpStream,
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
            let mut wire = Wire {
                stream: &mut stream,
                context,
            };
            let Step::Wait(wait) = session.step(&mut wire, told) else {
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

/// A socket during one poll of its task: what would block wakes the task later.
struct Wire<'a, 'b> {
    stream: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

impl AsFd for Wire<'_, '_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Transport for Wire<'_, '_> {
    /// Does not use Tokio's `poll_read`: that takes a short read for the last one, and waits for
    /// more to arrive. But a read ends at the mark of an urgent byte too, with more behind it.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            now_or_would_block(self.stream.poll_read_ready(self.context))?;
            match self.stream.try_read(buffer) {
                // Now the task is woken by what comes next; it may just have come.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now_or_would_block(Pin::new(&mut *self.stream).poll_write(self.context, bytes))
    }
}

fn now_or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
