//! A timer for Tokio tasks with microsecond resolution. Tokio's own timers count milliseconds.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep_until};

use crate::sys;

/// A timer that can be set repeatedly.
pub(super) enum Timer {
    /// A timerfd, and the time that it is set to.
    Precise(AsyncFd<OwnedFd>, Option<Instant>),
    /// A Tokio timer, used if no descriptor is left. It is up to 2 ms late.
    Coarse(Pin<Box<Sleep>>),
}

impl Timer {
    /// A timer that is not set. Must be called in a Tokio runtime.
    pub(super) fn new() -> Self {
        match descriptor() {
            Ok(fd) => Self::Precise(fd, None),
            Err(error) => Self::coarse(&error),
        }
    }

    /// Ready once `due` has passed; until then, the task is woken at `due`.
    pub(super) fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Precise(fd, set_to) = self {
            match poll_precise(fd, set_to, due, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(error)) => *self = Self::coarse(&error),
            }
        }
        let Self::Coarse(sleep) = self else {
            return Poll::Pending;
        };
        let due = tokio::time::Instant::from_std(due);
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(context)
    }

    fn coarse(error: &io::Error) -> Self {
        tracing::warn!(%error, "cannot create a timer: delays may be up to 2 ms too long");
        Self::Coarse(Box::pin(sleep_until(tokio::time::Instant::now())))
    }
}

fn poll_precise(
    fd: &AsyncFd<OwnedFd>,
    set_to: &mut Option<Instant>,
    due: Instant,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(Ok(()));
        }
        if *set_to != Some(due) {
            set(fd, left)?;
            *set_to = Some(due);
        }
        // The event may stem from an earlier setting, so the loop checks the time again.
        ready!(fd.poll_read_ready(context))?.clear_ready();
    }
}

fn descriptor() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    sys::watch::watch(fd, Interest::READABLE)
}

/// Sets the timer to expire once, after this time. Replaces the previous setting.
fn set(fd: &AsyncFd<OwnedFd>, left: Duration) -> io::Result<()> {
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec::try_from(left).map_err(io::Error::other)?,
    };
    timerfd_settime(fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
    Ok(())
}
