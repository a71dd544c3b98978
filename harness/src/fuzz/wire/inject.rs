//! Results of system calls that a case injects into the server it talks to.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::fuzz::case::InjectStep;
use crate::process::Server;
use crate::process::injector::{CallKind, Injection, Place, Record, Rule};

/// Time without a call after which the server waits for what the client does next.
const QUIET: Duration = Duration::from_millis(1);
/// Maximum wait for that.
const QUIET_MAX: Duration = Duration::from_millis(20);
/// Pause between two looks.
const LOOK: Duration = Duration::from_micros(100);

/// Gives system calls of a server other results.
#[derive(Debug)]
pub(super) struct Injector {
    server: Rc<Server>,
}

impl Injector {
    pub(super) fn new(server: Rc<Server>) -> Self {
        Self { server }
    }
}

/// Waits until the server makes no calls that its filter names. Returns whether it has come to that.
pub(crate) fn settled(server: &Server) -> bool {
    let begun = Instant::now();
    let (mut count, mut changed) = (server.calls().count, begun);
    while changed.elapsed() < QUIET {
        if begun.elapsed() >= QUIET_MAX {
            return false;
        }
        std::thread::sleep(LOOK);
        let now = server.calls().count;
        if now != count {
            (count, changed) = (now, Instant::now());
        }
    }
    true
}

/// The rule of a step: it concerns the connections of this client, or the listening socket.
fn rule(step: &InjectStep, peer: Option<SocketAddr>) -> Rule {
    let places: &'static [Place] = match step.kind() {
        Some(CallKind::Accept) => &[Place::Listener],
        Some(CallKind::Wait) => &[Place::Wait],
        Some(CallKind::Thread) => &[Place::Thread],
        Some(CallKind::Sync) => &[Place::File],
        _ => &[Place::Connection],
    };
    Rule {
        name: Some(step.call()),
        peer,
        times: step.times(),
        ..Rule::new(&[], places, step.result())
    }
}

/// What one case injects.
#[derive(Debug, Default)]
pub(super) struct Injected {
    /// The rule in force.
    now: Option<Injection>,
    /// What the rules before it have done.
    done: Option<Record>,
}

impl Injected {
    /// Puts the rule of a step into force instead of an earlier one. The server first finishes what it has begun, so that the
    /// same calls get the result each time.
    pub(super) fn begin(
        &mut self,
        injector: &Injector,
        step: &InjectStep,
        peer: Option<SocketAddr>,
    ) {
        settled(&injector.server);
        self.end();
        self.done.get_or_insert_default();
        // Why it is not possible was told when the server was started.
        self.now = injector.server.inject(rule(step, peer)).ok();
    }

    /// Ends the rule in force.
    pub(super) fn end(&mut self) {
        if let Some(now) = self.now.take() {
            self.done.get_or_insert_default().add(&now.end());
        }
    }

    /// What was injected; `None` if there was no step that does it.
    pub(super) fn done(self) -> Option<Record> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::injector::Injected;

    #[test]
    fn concerns_the_listener_or_one_connection() {
        let peer = Some("127.0.0.1:9".parse().unwrap());
        let accept = InjectStep::once("accept4", Injected::Error(libc::EPROTO));
        assert_eq!(rule(&accept, peer).places, [Place::Listener]);
        let read = rule(&InjectStep::once("read", Injected::Short).repeated(2), peer);
        assert_eq!((read.places, read.times), (&[Place::Connection][..], 2));
        assert_eq!(read.peer, peer);
    }
}
