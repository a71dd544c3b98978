//! The concurrency models: which thread or process serves a connection.

mod accept;
mod admission;
#[cfg(feature = "cli")]
mod lifeline;
mod prefork;
mod sequential;
mod threads;
mod tokio_current;
mod tokio_multi;
mod tokio_server;

#[cfg(feature = "cli")]
pub(crate) use lifeline::watch_lifeline;

pub use crate::config::model::{Model, SEQUENTIAL_CANNOT_PASS};
use crate::delay::Delays;
use crate::{Config, Listener, ServerError, Shutdown};

/// Serves the listener until the shutdown is triggered and the requests in flight have been
/// answered, or [`Config::drain`] has passed.
///
/// # Errors
/// The server cannot start: threads, descriptors or the runtime are missing, the delay log cannot
/// be opened, or [`Config::worker_exe`] is missing for `prefork`.
pub fn run(listener: Listener, config: Config, shutdown: Shutdown) -> Result<(), ServerError> {
    let config = config.effective();
    listener
        .set_nonblocking()
        .map_err(ServerError::start("make the listener non-blocking"))?;
    let delays = Delays::new(config.delay, config.delay_log.as_deref(), config.delay_seed)?;
    match config.model {
        Model::Sequential => sequential::run(listener, &config, &delays, &shutdown),
        Model::Threads => threads::run(listener, config, delays, shutdown),
        // The workers draw and log the delays themselves.
        Model::Prefork => prefork::run(listener, &config, &shutdown),
        Model::TokioCurrent => tokio_current::run(listener, config, delays, &shutdown),
        Model::TokioMulti => tokio_multi::run(listener, config, delays, &shutdown),
    }
}
