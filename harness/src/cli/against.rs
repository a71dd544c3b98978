//! `--against`: the other server of a differential campaign or replay.

use super::target::{PreparedTarget, TargetArgs, usage};
use crate::report::RunError;
use crate::subject::Subject;

/// The server that this command starts, with the conversation of the target.
pub(super) fn resolve(
    args: &TargetArgs,
    target: &PreparedTarget,
    cmd: &str,
    seed: u64,
) -> Result<Subject, RunError> {
    let words = shell_words::split(cmd).map_err(|error| {
        usage(format!(
            "--against: {cmd} cannot be split into words: {error}"
        ))
    })?;
    if words.is_empty() {
        return Err(usage("--against is empty".into()));
    }
    if !target.subject.runs_beside_itself() {
        return Err(usage(
            "--against starts two servers at a time, which --connect and `singleton = true` do not allow\nnext: give the \
             command that starts the server"
                .into(),
        ));
    }
    let other = args.other_build(target, words, seed);
    let other = other.map_err(|error| RunError {
        message: format!("--against: {}", error.message),
        ..error
    })?;
    Ok(other.subject)
}

/// The option as words of a shell.
pub(super) fn words(cmd: &str) -> String {
    format!("--against {}", shell_words::quote(cmd))
}
