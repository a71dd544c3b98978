//! The server of a run, as described by the plan in the JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{Origin, Subject};

/// How the server is reached, without secrets.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerPlan {
    /// The name in the file, or of the talk.
    pub name: String,
    /// The command with its placeholders; empty for an attached server.
    pub cmd: Vec<String>,
    /// Names of the environment variables set for it, without their values.
    pub env: Vec<String>,
    /// Its working folder.
    pub cwd: Option<PathBuf>,
    /// Values of the parameters.
    pub params: BTreeMap<String, String>,
    /// The address of an attached server.
    pub address: Option<String>,
    /// How clients reach it, if not by plain TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
}

impl ServerPlan {
    pub(crate) fn of(name: &str, subject: &Subject) -> Self {
        match &subject.origin {
            Origin::Spawn(launch) => Self {
                name: name.into(),
                cmd: launch.cmd.clone(),
                env: launch.env.keys().cloned().collect(),
                cwd: Some(launch.cwd.clone()),
                params: launch.params.clone(),
                address: None,
                transport: launch.transport.describe(),
            },
            Origin::Attach { endpoint, .. } => Self {
                name: name.into(),
                cmd: Vec::new(),
                env: Vec::new(),
                cwd: None,
                params: BTreeMap::new(),
                address: Some(endpoint.to_string()),
                transport: endpoint.transport.describe(),
            },
        }
    }
}
