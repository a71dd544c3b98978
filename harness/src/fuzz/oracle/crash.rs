//! Crash: a server process ended, by a signal or by an exit that nobody requested.

use super::text;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::process::{Exit, signal_name};

/// Describes the end of a process other than the main one. Only its parent knows the exit status.
const WORKER: &str = "a worker process of the server ended";

/// How the server ended, if a process of it has.
pub(crate) fn seen(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    if !epoch.has_ended() {
        return None;
    }
    let main_ended = epoch.ended().is_none() || epoch.ended() == epoch.server().pid();
    let exit = if main_ended { epoch.exit() } else { None };
    let how = match exit {
        Some(exit) => format!("the server {exit}"),
        None if main_ended => "the server is gone".to_owned(),
        None => WORKER.to_owned(),
    };
    let stderr = text::decode(&epoch.server().stderr_since(0).0);
    let cause = text::cause(&stderr);
    let title = match text::message(&stderr) {
        Some(message) => format!("{how}: {message}"),
        None => how.clone(),
    };
    let ended = match exit {
        Some(Exit::Signal(signal)) => signal_name(signal).into_owned(),
        Some(Exit::Code(code)) => format!("exit {code}"),
        None => how.clone(),
    };
    let mut symptom =
        Symptom::new(FindingKind::Crash, format!("{ended} {cause}"), title).with("exit", how);
    if !stderr.trim().is_empty() {
        symptom = symptom.with("stderr", text::lines_shown(&stderr));
    }
    Some(symptom)
}

/// Whether the symptom is the end of the main process, not only of a worker.
pub(crate) fn is_of_main_process(symptom: &Symptom) -> bool {
    symptom.kind == FindingKind::Crash && !symptom.key.contains(WORKER)
}
