//! The processes that are started beside a server, and the commands that prepare its folder.
//!
//! Each has a supervisor of its own. Therefore it never counts as a process of the server, its output is kept apart, and
//! it ends with tcprove however tcprove ends.

use std::time::{Duration, Instant};

use super::failure::{HelperRole, HelperTrouble};
use super::launch::further_ports;
use super::output::Output;
use super::ready::owned;
use super::socket_table::listeners;
use super::status::Status;
use super::supervised_tree::{Setting, SupervisedTree, SupervisorCommand};
use super::{Exit, Launch, StartFailure};

/// Pause between two looks at a helper that is not ready.
const PAUSE: Duration = Duration::from_millis(5);
/// Time limit for a command that prepares the folder.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(120);

/// A helper process and its descendants. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Helper {
    /// Its command with placeholders, as the user wrote it.
    command: String,
    role: HelperRole,
    /// The further ports that its command names, on which it listens when it is ready.
    ports: Vec<(String, u16)>,
    tree: SupervisedTree,
    started: Instant,
}

impl Helper {
    /// Runs the commands that prepare a new folder, one after another.
    ///
    /// # Errors
    /// One of them cannot be run, exits with an error, or takes too long.
    pub(super) async fn prepare(launch: &Launch, setting: Setting<'_>) -> Result<(), StartFailure> {
        for words in &launch.prepare {
            let helper = Helper::start(launch, words, HelperRole::Preparation, setting)?;
            helper.until(PREPARE_TIMEOUT, Helper::is_done).await?;
        }
        Ok(())
    }

    /// Starts the helpers and waits until they are ready.
    ///
    /// # Errors
    /// One of them cannot be run, exits, or does not listen in time.
    pub(super) async fn start_all(
        launch: &Launch,
        setting: Setting<'_>,
    ) -> Result<Vec<Helper>, StartFailure> {
        let start = |words: &Vec<String>| Helper::start(launch, words, HelperRole::Beside, setting);
        let helpers: Vec<Helper> = launch.beside.iter().map(start).collect::<Result<_, _>>()?;
        for helper in &helpers {
            helper.until(launch.ready_timeout, Helper::is_ready).await?;
        }
        Ok(helpers)
    }

    fn start(
        launch: &Launch,
        words: &[String],
        role: HelperRole,
        setting: Setting<'_>,
    ) -> Result<Helper, StartFailure> {
        let number = |name: String| {
            let number = setting.values.further.get(&name).copied();
            number.map(|number| (name, number))
        };
        let ports = words.iter().flat_map(|word| further_ports(word));
        Ok(Helper {
            command: words.join(" "),
            role,
            ports: ports.filter_map(number).collect(),
            tree: SupervisedTree::start(&SupervisorCommand::of(launch, words, setting))?,
            started: Instant::now(),
        })
    }

    /// Polls until `holds`, for at most `limit` since its start.
    async fn until(
        &self,
        limit: Duration,
        holds: fn(&Helper, &Status) -> bool,
    ) -> Result<(), StartFailure> {
        loop {
            let status = self.tree.status();
            if let Some(failure) = self.failure(&status) {
                return Err(failure);
            }
            if holds(self, &status) {
                return Ok(());
            }
            if self.started.elapsed() >= limit {
                return Err(self.failed(self.lateness()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// It has exited successfully.
    fn is_done(&self, status: &Status) -> bool {
        status.exit.is_some()
    }

    /// It runs, and listens on every port that its command names.
    fn is_ready(&self, status: &Status) -> bool {
        status.main.is_some() && self.silent_port().is_none()
    }

    /// The first of its ports on which none of its processes listens.
    fn silent_port(&self) -> Option<&(String, u16)> {
        self.ports.iter().find(|(_, number)| {
            let table = listeners(Some(*number)).unwrap_or_default();
            table.is_empty() || owned(table, self.tree.supervisor_pid()).is_empty()
        })
    }

    fn lateness(&self) -> HelperTrouble {
        let waited = self.started.elapsed();
        match self.silent_port() {
            Some((name, number)) if self.role == HelperRole::Beside => {
                HelperTrouble::NotListening {
                    name: name.clone(),
                    number: *number,
                    waited,
                }
            }
            _ => HelperTrouble::NotDone { waited },
        }
    }

    /// How it has failed, if it has: by now, or while the server ran.
    pub(super) fn trouble(&self) -> Option<StartFailure> {
        self.failure(&self.tree.status())
    }

    fn failure(&self, status: &Status) -> Option<StartFailure> {
        if let Some(errno) = status.spawn_errno {
            let error = std::io::Error::from_raw_os_error(errno);
            return Some(self.failed(HelperTrouble::Spawn(error)));
        }
        if let Some(error) = &status.harness_error {
            let error = std::io::Error::new(error.kind(), error.to_string());
            return Some(StartFailure::harness("watch a helper process", error));
        }
        match status.exit {
            Some(exit) if !self.may_exit(exit, status) => {
                Some(self.failed(HelperTrouble::Exited(exit)))
            }
            None if status.supervisor_ended => {
                let error = std::io::Error::other("its supervisor ended unexpectedly");
                Some(StartFailure::harness(
                    "keep a helper process running",
                    error,
                ))
            }
            _ => None,
        }
    }

    /// Whether this exit is no failure. A helper that listens may end its first process and keep running in the
    /// background; one that does not listen may be done.
    fn may_exit(&self, exit: Exit, status: &Status) -> bool {
        let serves = self.role == HelperRole::Beside && !self.ports.is_empty();
        exit.is_success() && !(serves && status.tree_ended)
    }

    fn failed(&self, trouble: HelperTrouble) -> StartFailure {
        let printed = self.tree.printed();
        let output = Output::of(&printed.stdout, &printed.stderr);
        StartFailure::Helper {
            command: self.command.clone(),
            role: self.role,
            trouble,
            stderr_tail: output.stderr_tail,
            stdout_tail: output.stdout_tail,
        }
    }
}
