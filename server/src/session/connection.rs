//! One connection as its driver sees it: a session, and the layers below it if there are any.

use super::Session;
use super::layers::Layers;
use super::wait::Next;
use crate::Config;
use crate::delay::ConnectionDelays;
use crate::peer::Peer;
use crate::transport::Transport;

/// A connection, driven step by step.
pub(crate) struct Connection<'a> {
    session: Session<'a>,
    /// Boxed, so that a connection without them stays small.
    layers: Option<Box<Layers<'a>>>,
}

impl<'a> Connection<'a> {
    /// A connection that is served.
    pub(crate) fn new(config: &'a Config, delays: Option<ConnectionDelays>, peer: Peer) -> Self {
        Self {
            session: Session::new(config, delays, peer),
            layers: Layers::new(config).map(Box::new),
        }
    }

    /// A connection whose client only learns that there are too many.
    pub(crate) fn refusing(config: &'a Config, peer: Peer) -> Self {
        Self {
            session: Session::refusing(config, peer),
            layers: Layers::new(config).map(Box::new),
        }
    }

    /// Proceeds as far as possible without waiting. `stopping`: whether the shutdown has started.
    pub(super) fn step(&mut self, transport: &mut impl Transport, stopping: bool) -> Next {
        match &mut self.layers {
            None => self.session.step(transport, stopping),
            Some(layers) => layers.step(&mut self.session, transport, stopping),
        }
    }

    pub(super) fn config(&self) -> &'a Config {
        self.session.config
    }

    /// Whether replies are delayed.
    pub(super) fn has_delays(&self) -> bool {
        self.session.held.is_some()
    }
}
