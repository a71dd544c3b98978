//! Rehearses the conversation before anything is judged, and suggests the next step if that fails.

use super::target::PreparedTarget;
use crate::process::StartFailure;
use crate::report::RunError;
use crate::subject::{Interrupt, Origin, RehearsalError, becomes_ready, rehearse};

/// Holds the conversation once on a clean server. False if it was interrupted.
pub(super) fn holds_conversation(
    resolved: &PreparedTarget,
    interrupt: &Interrupt,
) -> Result<bool, RunError> {
    match rehearse(&resolved.subject, interrupt) {
        Ok(_) => Ok(true),
        Err(RehearsalError::Interrupted) => Ok(false),
        Err(error) => Err(rehearsal_error(&error, resolved)),
    }
}

/// The error of a failed rehearsal, with the next step to try.
pub(super) fn rehearsal_error(error: &RehearsalError, resolved: &PreparedTarget) -> RunError {
    if let (RehearsalError::Conversation { refused: true, .. }, Origin::Attach { endpoint, .. }) =
        (error, &resolved.subject.origin)
    {
        return RunError::target(format!(
            "no server listens on {endpoint}: the connection was refused\nnext: start the server, or correct the address"
        ));
    }
    let next = match (error, &resolved.command_by_hand) {
        (RehearsalError::Start(failure), Some(command)) if is_about_its_output(failure) => {
            format!("\nnext: start it by hand and read its output: {command}")
        }
        (RehearsalError::Conversation { .. }, None) => {
            "\nnext: check that the server at this address speaks the protocol of this talk: `tcprove send TEXT --connect HOST:PORT` shows its replies".into()
        }
        (RehearsalError::Conversation { .. }, Some(_)) => match becomes_ready(&resolved.subject) {
            Some(after) => format!(
                "\nnext: write ready = \"exchange\" in [server]: a new server held the conversation {} ms after it had begun to listen, and not before",
                after.as_millis()
            ),
            None => adapt(&resolved.subject.talk.name),
        },
        _ => String::new(),
    };
    RunError::target(format!("{error}{next}"))
}

fn is_about_its_output(failure: &StartFailure) -> bool {
    matches!(
        failure,
        StartFailure::Exited { .. } | StartFailure::NotReady { .. }
    )
}

/// The next step after a conversation that the server did not hold.
fn adapt(talk: &str) -> String {
    if crate::file::builtin(talk).is_none() {
        return "\nnext: correct [talk] in the file; `tcprove send` shows the server's replies"
            .into();
    }
    format!(
        "\nnext: check that `{talk}` is the right talk for this server; `tcprove init --talk {talk}` writes it to a file that you can adapt"
    )
}
