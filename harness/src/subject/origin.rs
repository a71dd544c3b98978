//! What is judged: how its server is reached, and what it says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Promise;
use crate::process::{Launch, Server, StartFailure, StartOptions};
use crate::session::Voice;
use crate::talk::Talk;

/// Where the server comes from.
#[derive(Clone)]
pub enum Origin {
    /// tcprove starts it.
    Spawn(Launch),
    /// It runs already.
    Attach {
        /// Its address.
        addr: SocketAddr,
        /// Its main process, if that is known.
        pid: Option<u32>,
    },
}

/// A server and its conversation.
#[derive(Clone)]
pub struct Subject {
    /// Where the server comes from.
    pub origin: Origin,
    /// The conversation.
    pub talk: Arc<Talk>,
    /// What it promises.
    pub promise: Promise,
    /// The seed of tokens.
    pub seed: u64,
}

impl Subject {
    /// How another life of the server is started, if it can be.
    pub fn launch(&self) -> Option<&Launch> {
        match &self.origin {
            Origin::Spawn(launch) => Some(launch),
            Origin::Attach { .. } => None,
        }
    }

    /// A server to talk to: a fresh one, or the attached one.
    pub async fn server(&self, options: StartOptions) -> Result<Server, StartFailure> {
        match &self.origin {
            Origin::Spawn(launch) => Server::start(launch, options).await,
            Origin::Attach { addr, pid } => Server::attach(*addr, *pid),
        }
    }

    /// What a template may name before a server runs: the parameters.
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

    /// What a template may name once `server` runs: the parameters, its port and its folder.
    pub fn values_of(&self, server: &Server) -> BTreeMap<String, Vec<u8>> {
        let mut values = self.values();
        values.insert("port".into(), server.port().to_string().into_bytes());
        if let Some(tmp) = server.tmp() {
            values.insert(
                "tmp".into(),
                tmp.to_string_lossy().into_owned().into_bytes(),
            );
        }
        values
    }

    /// The voice of a client of `server`.
    pub fn voice(&self, server: &Server, salt: u64) -> Voice {
        Voice::new(self.talk.clone(), self.values_of(server), self.seed ^ salt)
    }
}
