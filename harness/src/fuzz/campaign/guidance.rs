//! Chooses what guides a campaign, and says why.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::fuzz::blocks::{Blocks, CODE_MAX};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::feedback::FeedbackMode;
use crate::fuzz::plan::FuzzPlan;
use crate::fuzz::target::FuzzTarget;
use crate::process::{Listening, TraceState, executables, libraries};

/// Programs whose own code tells little about the server that they run.
const INTERPRETERS: [&str; 13] = [
    "beam", "bun", "deno", "dotnet", "java", "lua", "mono", "node", "perl", "php", "python",
    "ruby", "tclsh",
];
/// Maximum bytes of code for which breakpoints are chosen unasked: more takes seconds to start.
const CODE_MAX_AUTO: u64 = 20 << 20;
/// Programs that start others.
const SHELLS: [&str; 6] = ["bash", "busybox", "dash", "sh", "sudo", "zsh"];

/// What guides a campaign.
#[derive(Debug)]
pub(super) struct Guidance {
    /// Never [`FeedbackMode::Auto`].
    pub(super) feedback: FeedbackMode,
    /// The blocks of the server's programs, if they are seen.
    pub(super) blocks: Option<Blocks>,
    /// What was chosen and why, in one line.
    pub(super) said: String,
}

impl Guidance {
    /// Chooses what the plan asks for, or the best that is possible. The error is the reason why what the plan asks for is
    /// not.
    pub(super) fn choose(
        plan: &FuzzPlan,
        target: &FuzzTarget,
        runtime: &Runtime,
        programs: &[PathBuf],
    ) -> Result<Self, String> {
        match plan.feedback {
            FeedbackMode::None => Ok(Self::without_blocks(FeedbackMode::None, "as asked for")),
            FeedbackMode::Shape => Ok(Self::without_blocks(
                FeedbackMode::Shape,
                "as asked for; breakpoints see more",
            )),
            FeedbackMode::Auto if plan.cases.is_some() => Ok(Self::without_blocks(
                FeedbackMode::Shape,
                "so that the same seed yields the same cases; --feedback breakpoints sees more",
            )),
            FeedbackMode::Auto => {
                match only_interpreters(programs) {
                    Some(interpreter) => Ok(Self::without_blocks(
                        FeedbackMode::Shape,
                        &format!(
                            "{interpreter} runs the server, and breakpoints in {interpreter} see only its own code"
                        ),
                    )),
                    None => Ok(breakpoints(target, runtime, programs, CODE_MAX_AUTO)
                        .unwrap_or_else(|reason| {
                            let why = format!("breakpoints are not possible: {reason}");
                            Self::without_blocks(FeedbackMode::Shape, &why)
                        })),
                }
            }
            FeedbackMode::Breakpoints => breakpoints(target, runtime, programs, CODE_MAX),
        }
    }

    fn without_blocks(feedback: FeedbackMode, why: &str) -> Self {
        Self {
            feedback,
            blocks: None,
            said: format!("{}: {why}", feedback.name()),
        }
    }
}

/// The programs that the server runs, from its processes, and the libraries that it uses whose names begin so.
pub(super) fn programs(
    target: &FuzzTarget,
    epoch: &Epoch<'_>,
    library_names: &[String],
) -> Vec<PathBuf> {
    let server = epoch.server();
    // The processes that serve do not exist yet.
    if *server.listening() == Listening::PerConnection {
        let launch = target.subject.launch();
        return launch
            .and_then(|launch| launch.executable())
            .into_iter()
            .collect();
    }
    let mut all = executables(&server.pids());
    let is_shell = |path: &PathBuf| SHELLS.contains(&name(path));
    if !all.iter().all(is_shell) {
        all.retain(|path| !is_shell(path));
    }
    if !library_names.is_empty() {
        all.extend(libraries(&server.pids(), library_names));
    }
    all
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// The name of the interpreter if there is nothing but interpreters.
fn only_interpreters(programs: &[PathBuf]) -> Option<&str> {
    let is_one = |path: &PathBuf| {
        let name = name(path);
        INTERPRETERS.iter().any(|known| name.starts_with(known))
    };
    let first = programs.first()?;
    programs.iter().all(is_one).then(|| name(first))
}

fn breakpoints(
    target: &FuzzTarget,
    runtime: &Runtime,
    programs: &[PathBuf],
    code_max: u64,
) -> Result<Guidance, String> {
    if !target.is_fresh() {
        return Err("tcprove did not start this server".into());
    }
    let blocks = Blocks::of(programs, code_max)?;
    let epoch = Epoch::begin(target, runtime, Some(&blocks));
    let epoch = epoch.map_err(|error| format!("the server does not start with them: {error}"))?;
    match epoch.trace_state() {
        Some(TraceState::Traced(1..)) => {}
        Some(TraceState::Refused(error)) => {
            let error = std::io::Error::from_raw_os_error(error);
            return Err(format!("the system does not allow it: {error}"));
        }
        _ => return Err("the server does not run the program that was expected".into()),
    }
    drop(epoch);
    let names: Vec<&str> = blocks.programs().map(name).collect();
    let said = format!(
        "breakpoints in {} basic blocks of {}, besides the shape of the replies",
        blocks.total(),
        names.join(", ")
    );
    Ok(Guidance {
        feedback: FeedbackMode::Breakpoints,
        blocks: Some(blocks),
        said,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_told_by_their_names() {
        let only = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            only_interpreters(&paths).map(str::to_owned)
        };
        assert_eq!(only(&["/usr/bin/python3.11"]), Some("python3.11".into()));
        assert_eq!(only(&["/usr/bin/node", "/usr/sbin/nginx"]), None);
        assert_eq!(only(&["/usr/sbin/nginx"]), None);
        assert_eq!(only(&[]), None);
    }
}
