//! The server of a run, as described by the plan in the JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Origin, Subject};
use crate::process::Listening;

/// How the server is reached, without secrets.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
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
    /// Files that are written for it, without their content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Commands that prepare its folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Vec<String>>,
    /// Commands of its helpers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Vec<String>>,
    /// The user that runs it, if it is another than that of tcprove.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How tcprove listens for it: `stdio` or `activation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listens: Option<&'static str>,
    /// The address of an attached server.
    pub address: Option<String>,
    /// How clients reach it, if not by plain TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
}

impl ServerPlan {
    pub(crate) fn of(name: &str, subject: &Subject) -> Self {
        let name = name.to_owned();
        match &subject.origin {
            Origin::Spawn(launch) => Self {
                name,
                cmd: launch.cmd.clone(),
                env: launch.env.keys().cloned().collect(),
                cwd: Some(launch.cwd.clone()),
                params: launch.params.clone(),
                files: launch.files.keys().cloned().collect(),
                prepare: launch.prepare.clone(),
                beside: launch.beside.clone(),
                user: launch.user.clone(),
                listens: match launch.listening {
                    Listening::Server => None,
                    Listening::PerConnection => Some("stdio"),
                    Listening::Inherited { .. } => Some("activation"),
                },
                address: None,
                transport: launch.transport.describe(),
            },
            Origin::Attach { endpoint, .. } => Self {
                name,
                address: Some(endpoint.to_string()),
                transport: endpoint.transport.describe(),
                ..Self::default()
            },
        }
    }
}
