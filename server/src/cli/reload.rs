//! SIGHUP, which asks a server to reload: by convention it reads its settings again and keeps serving.
//!
//! The settings of this server are its arguments, which do not change. So there is nothing to do, except for not
//! dying, which is the default action of the signal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use rustix::event::{EventfdFlags, eventfd};

use crate::Listener;
use crate::sys::signals;

/// Handles SIGHUP. A planted fault gets the listener after each signal.
pub(super) fn watch(listener: &Listener, fault: Option<fn(BorrowedFd<'_>)>) -> io::Result<()> {
    let Some(fault) = fault else {
        return signals::on_hangup(Box::new(|| {}));
    };
    let listener = listener.as_fd().try_clone_to_owned()?;
    let event = eventfd(0, EventfdFlags::CLOEXEC)?;
    let raise = event.try_clone()?;
    signals::on_hangup(Box::new(move || {
        // Writing fails only if the counter is full, and then the thread wakes up anyway.
        let _ = rustix::io::write(&raise, &1_u64.to_ne_bytes());
    }))?;
    thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || each(&event, &listener, fault))
        .map(drop)
}

/// Calls the fault after each signal.
fn each(event: &OwnedFd, listener: &OwnedFd, fault: fn(BorrowedFd<'_>)) {
    let mut count = [0; 8];
    while rustix::io::retry_on_intr(|| rustix::io::read(event, &mut count)).is_ok() {
        fault(listener.as_fd());
    }
}
