//! The server under test: how it is reached, and its conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Promise;
use crate::process::{Launch, Server};
use crate::session::Voice;
use crate::talk::Talk;
use crate::transport::{Endpoint, Transport};

/// Where the server comes from.
#[derive(Clone)]
pub enum Origin {
    /// tcprove starts it.
    Spawn(Box<Launch>),
    /// It is already running.
    Attach {
        /// Where and how to connect.
        endpoint: Endpoint,
        /// Its main process, if known.
        pid: Option<u32>,
    },
}

impl Origin {
    /// How clients reach the server.
    pub fn transport(&self) -> &Transport {
        match self {
            Self::Spawn(launch) => &launch.transport,
            Self::Attach { endpoint, .. } => &endpoint.transport,
        }
    }
}

/// A server and its conversation.
#[derive(Clone)]
pub struct Subject {
    /// Where the server comes from.
    pub origin: Origin,
    /// Its conversation.
    pub talk: Arc<Talk>,
    /// What it promises.
    pub promise: Promise,
    /// The seed of its tokens.
    pub seed: u64,
}

impl Subject {
    /// How to start another instance of the server; `None` for an attached one.
    pub fn launch(&self) -> Option<&Launch> {
        match &self.origin {
            Origin::Spawn(launch) => Some(launch),
            Origin::Attach { .. } => None,
        }
    }

    /// Whether several instances can run at the same time.
    pub fn runs_beside_itself(&self) -> bool {
        self.launch().is_some_and(|launch| !launch.singleton)
    }

    /// Values of template placeholders that are known before a server runs: the parameters.
    pub fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let params = self
            .launch()
            .map(|launch| launch.params.clone())
            .unwrap_or_default();
        params
            .into_iter()
            .map(|(name, value)| (name, value.into_bytes()))
            .collect()
    }

    /// Values of template placeholders for `server`: the parameters, its ports and its folder.
    pub fn values_of(&self, server: &Server) -> BTreeMap<String, Vec<u8>> {
        let mut values = self.values();
        values.insert("port".into(), server.port().to_string().into_bytes());
        if let Some(surroundings) = server.surroundings() {
            let ports = surroundings.ports().iter();
            values.extend(
                ports.map(|(name, number)| {
                    (format!("port:{name}"), number.to_string().into_bytes())
                }),
            );
        }
        if let Some(tmp) = server.tmp() {
            values.insert(
                "tmp".into(),
                tmp.to_string_lossy().into_owned().into_bytes(),
            );
        }
        values
    }

    /// Renders the requests of a client of `server`.
    pub fn voice(&self, server: &Server, salt: u64) -> Voice {
        Voice::new(self.talk.clone(), self.values_of(server), self.seed ^ salt)
    }
}
