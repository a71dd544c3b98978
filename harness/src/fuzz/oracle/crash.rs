//! Crash: a server process ended, by a signal or by an exit that nobody requested.

use super::text;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::process::{Exit, signal_name};

/// Describes the end of a process other than the main one.
const WORKER: &str = "a worker process of the server";

/// How the server ended, if a process of it has.
pub(crate) fn seen(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    if !epoch.has_ended() {
        let exit = epoch.crashed_child()?;
        return Some(symptom(epoch, format!("{WORKER} {exit}"), Some(exit)));
    }
    let main_ended = epoch.ended().is_none() || epoch.ended() == epoch.server().pid();
    let worker = epoch.ended().filter(|_| !main_ended);
    let exit = match worker {
        Some(pid) => epoch.worker_exit(pid),
        None => epoch.exit(),
    };
    // Workers end on purpose after so many requests, and are replaced.
    if worker.is_some() && exit.is_some_and(Exit::is_success) {
        epoch.rewatch();
        return None;
    }
    let how = match exit {
        Some(exit) if main_ended => format!("the server {exit}"),
        Some(exit) => format!("{WORKER} {exit}"),
        None if main_ended => "the server is gone".to_owned(),
        None => format!("{WORKER} ended"),
    };
    Some(symptom(epoch, how, exit))
}

/// A process ended like this.
fn symptom(epoch: &Epoch<'_>, how: String, exit: Option<Exit>) -> Symptom {
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
    let whose = if how.starts_with(WORKER) {
        "worker "
    } else {
        ""
    };
    let key = format!("{whose}{ended} {cause}");
    let mut symptom = Symptom::new(FindingKind::Crash, key, title).with("exit", how);
    if !stderr.trim().is_empty() {
        symptom = symptom.with("stderr", text::lines_shown(&stderr));
    }
    symptom
}

/// Signals that ask a process to end.
const STOPS: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGKILL];

/// Whether the server may have ended because it was asked to: by one of those signals, or with an exit code. Whoever ends a
/// campaign may end its server at the same time: Slurm signals all processes of a job, a terminal all of a group.
pub(crate) fn may_be_asked_for(symptom: &Symptom) -> bool {
    let how = symptom.key.strip_prefix("crash: ").unwrap_or_default();
    let is_stop = |signal: &i32| how.starts_with(&*signal_name(*signal));
    symptom.kind == FindingKind::Crash && (how.starts_with("exit ") || STOPS.iter().any(is_stop))
}

/// Whether the symptom is the end of the main process, not only of a worker.
pub(crate) fn is_of_main_process(symptom: &Symptom) -> bool {
    symptom.kind == FindingKind::Crash && !symptom.title.starts_with(WORKER)
}
