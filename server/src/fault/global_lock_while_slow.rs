//! A lock is taken with the first bytes of a line and released with the last, so a slow sender makes the
//! other clients wait.

use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "global-lock-while-slow",
    caught_by: super::FUZZ,
    kind: "starvation",
    about: "serves other clients 200 ms late while a line of at least 8 bytes is unfinished",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(take_turns),
        ..Hooks::NONE
    },
};

/// Minimum bytes of an unfinished line that take the lock.
const BEGUN_BYTES_MIN: usize = 8;
/// Maximum time that other connections wait. Then they continue without the lock.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Number of connections with an unfinished line.
static SLOW: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

/// The unfinished line of one connection. Dropping it releases the lock.
#[derive(Default)]
struct UnfinishedLine {
    length: usize,
    is_slow: bool,
}

fn take_turns(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let line = super::state::<UnfinishedLine>(scratch);
    let own = usize::from(line.is_slow);
    let waited = DONE.wait_timeout_while(slow(), WAIT_MAX, |slow| *slow > own);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    line.length = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => bytes.len() - end - 1,
        None => line.length + bytes.len(),
    };
    line.set_slow(line.length >= BEGUN_BYTES_MIN);
}

impl UnfinishedLine {
    fn set_slow(&mut self, is_slow: bool) {
        let mut slow = slow();
        *slow -= usize::from(self.is_slow);
        *slow += usize::from(is_slow);
        self.is_slow = is_slow;
        DONE.notify_all();
    }
}

impl Drop for UnfinishedLine {
    fn drop(&mut self) {
        self.set_slow(false);
    }
}

fn slow() -> MutexGuard<'static, usize> {
    SLOW.lock().unwrap_or_else(PoisonError::into_inner)
}
