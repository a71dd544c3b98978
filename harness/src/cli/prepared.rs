//! A target that is ready to be judged, and its command as a reader runs it by hand.

use std::path::PathBuf;
use std::sync::Arc;

use crate::file::File;
use crate::report::{RunError, TargetReport};
use crate::subject::{Origin, Subject, by_hand};

/// A target that is ready to be judged.
pub(super) struct PreparedTarget {
    pub(crate) subject: Subject,
    pub(crate) name: String,
    /// Whether it is the embedded reference server.
    pub(crate) embedded: bool,
    /// The rest of the file: waivers, required checks, battery.
    pub(crate) file: File,
    /// The command to paste into a shell, with the port filled in; `None` for a running server.
    pub(crate) command_by_hand: Option<String>,
}

impl PreparedTarget {
    pub(crate) fn new(file: File, origin: Origin, name: String, seed: u64, embedded: bool) -> Self {
        let command_by_hand = match &origin {
            Origin::Spawn(launch) => Some(by_hand::command(launch)),
            Origin::Attach { .. } => None,
        };
        let subject = Subject {
            origin,
            talk: Arc::new(file.talk.clone()),
            promise: file.promise.clone(),
            seed,
        };
        Self {
            subject,
            name,
            embedded,
            file,
            command_by_hand,
        }
    }

    /// The target as the report shows it.
    pub(crate) fn report(&self) -> TargetReport {
        let command = match &self.subject.origin {
            Origin::Spawn(launch) => shell_words::join(&launch.cmd),
            Origin::Attach { endpoint, .. } => endpoint.to_string(),
        };
        let helpers = self
            .subject
            .launch()
            .into_iter()
            .flat_map(|launch| &launch.beside);
        TargetReport {
            name: self.name.clone(),
            command,
            beside: helpers.map(shell_words::join).collect(),
            embedded: self.embedded,
        }
    }
}

/// The path of the running tcprove, which also supervises servers.
pub(super) fn executable() -> Result<PathBuf, RunError> {
    std::env::current_exe().map_err(|error| {
        RunError::internal(format!("tcprove cannot find its own executable: {error}"))
    })
}
