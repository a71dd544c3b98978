//! Single-threaded Tokio runtimes.

use std::future::Future;

/// Runs `future` on a current-thread runtime, with support for tasks that are not `Send`.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().block_on(&runtime(), future)
}

/// Creates a runtime for the calling thread.
///
/// # Panics
/// The process has run out of descriptors.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("cannot build a Tokio runtime on this machine: {error}"))
}
