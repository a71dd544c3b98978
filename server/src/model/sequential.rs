//! One connection at a time on the calling thread, as in the tutorial.

use std::net::TcpListener;

use super::accept;
use crate::delay::Delays;
use crate::session::{Session, blocking};
use crate::{Config, ServerError, Shutdown};

/// Serves until the shutdown, then drains the current connection.
pub(super) fn run(
    listener: TcpListener,
    config: &Config,
    delays: &Delays,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    accept::each(&listener, config, shutdown, |stream, peer| {
        let session = Session::new(config, delays.next_connection(), peer);
        if let Err(error) = blocking::serve(stream, session, shutdown, config.hooks().watch) {
            tracing::warn!(%peer, %error, "cannot serve the connection");
        }
    })
}
