//! Tokio runtimes of single threads.

use std::future::Future;

/// Runs `future` on a current-thread runtime that can hold tasks which are not `Send`.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().block_on(&runtime(), future)
}

/// A runtime of the calling thread.
///
/// # Panics
/// The machine has no descriptors left for it.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("cannot build a Tokio runtime on this machine: {error}"))
}
