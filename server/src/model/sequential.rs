//! One connection at a time on the calling thread, as in the tutorial.

use super::accept;
use crate::delay::Delays;
use crate::session::{Connection, blocking};
use crate::{Config, Listener, ServerError, Shutdown};

/// Serves until the shutdown, then drains the current connection.
pub(super) fn run(
    listener: Listener,
    config: &Config,
    delays: &Delays,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    accept::each(&listener, config, shutdown, |stream, peer| {
        let connection = Connection::new(config, delays.next_connection(), peer.clone());
        if let Err(error) = blocking::serve(stream, connection, shutdown, config.hooks()) {
            tracing::warn!(%peer, %error, "cannot serve the connection");
        }
    })
}
