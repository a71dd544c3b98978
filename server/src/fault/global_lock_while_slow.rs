//! A lock that is taken with the first bytes of a line and given back with the last: who sends
//! slowly has the others wait.

use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "global-lock-while-slow",
    caught_by: super::FUZZ,
    kind: "starvation",
    about: "serves others 200 ms late while 8 bytes or more of a line are there and not its end",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(take_turns),
        ..Hooks::NONE
    },
};

/// A shorter beginning is not worth the lock.
const BEGUN_BYTES_MIN: usize = 8;
/// For so long the others wait, and then go on without the lock.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Connections with an unfinished line.
static SLOW: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

/// One connection; when it ends others need not wait for it any more.
#[derive(Default)]
struct Line {
    length: usize,
    is_slow: bool,
}

fn take_turns(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let line = super::state::<Line>(scratch);
    let own = usize::from(line.is_slow);
    let waited = DONE.wait_timeout_while(slow(), WAIT_MAX, |slow| *slow > own);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    line.length = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => bytes.len() - end - 1,
        None => line.length + bytes.len(),
    };
    line.set_slow(line.length >= BEGUN_BYTES_MIN);
}

impl Line {
    fn set_slow(&mut self, is_slow: bool) {
        let mut slow = slow();
        *slow -= usize::from(self.is_slow);
        *slow += usize::from(is_slow);
        self.is_slow = is_slow;
        DONE.notify_all();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.set_slow(false);
    }
}

fn slow() -> MutexGuard<'static, usize> {
    SLOW.lock().unwrap_or_else(PoisonError::into_inner)
}
