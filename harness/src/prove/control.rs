//! The reference server, on which a check is repeated if the machine may be at fault. This program is it.

use crate::check::Check;
use crate::process::{Launch, REFERENCE};
use crate::subject::{Origin, Subject};

/// The reference server with the protocol that the check needs.
pub(super) fn control(check: &Check, subject: &Subject) -> Option<Subject> {
    let protocol = check.control_protocol();
    let own = std::env::current_exe().ok()?;
    let name = own.display().to_string();
    let words = [&name, REFERENCE, protocol, "{port}"];
    let mut launch = Launch::new(&own, words.map(str::to_owned));
    if let Some(judged) = subject.launch() {
        launch.ready_timeout = judged.ready_timeout;
    }
    let file = crate::file::builtin(protocol)?;
    Some(Subject {
        origin: Origin::Spawn(Box::new(launch)),
        talk: file.talk.into(),
        promise: file.promise,
        seed: subject.seed ^ 0x5eed,
    })
}
