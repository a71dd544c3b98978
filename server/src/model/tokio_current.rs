//! One event loop on the calling thread.

use super::tokio_server;
use crate::delay::Delays;
use crate::{Config, Listener, ServerError, Shutdown};

/// Serves until the shutdown, then waits for the connections to drain.
pub(super) fn run(
    listener: Listener,
    config: Config,
    delays: Delays,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(ServerError::start("start the runtime"))?;
    runtime.block_on(tokio_server::run(listener, config, delays, shutdown))
}
