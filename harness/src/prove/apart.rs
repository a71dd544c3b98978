//! Where the work of a test is done: on a thread without a runtime, one run at a time.

use std::sync::{Mutex, PoisonError};

use crate::sys::raise_nofile_limit;

/// Held by a run that measures.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs this on a thread of its own: the caller may be inside an async runtime, in which no other can be entered. A panic
/// continues in the caller.
pub(super) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// [`apart`], while no other run of this process measures. Test runners run the tests of a program at the same time.
pub(super) fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // As many descriptors as the system allows; a run to which they are too few says so itself.
    let _ = raise_nofile_limit();
    apart(work)
}
