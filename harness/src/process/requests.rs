//! Requests to what stands beside a running server: its injector and its tracer.

use std::io;

use super::Server;
use super::injector::{CallsSoFar, Injection, Rule};
use super::start::Started;

impl Server {
    /// Puts a rule into force about what its system calls return, or says why that is not possible.
    pub(crate) fn inject(&self, rule: Rule) -> Result<Injection, String> {
        match self.launched() {
            Some(started) => started.inject(rule),
            None => Err("tcprove did not start this server".into()),
        }
    }

    /// The calls that its filter has reported so far; none without a filter.
    pub(crate) fn calls(&self) -> CallsSoFar {
        let launched = self.launched();
        let seen = launched.map_or_else(CallsSoFar::default, Started::calls);
        // A kernel may refuse rings, and a program may try whether it does.
        let has_rings = || self.pids().into_iter().any(super::proc::has_rings);
        CallsSoFar {
            has_rings: seen.has_rings && has_rings(),
            ..seen
        }
    }

    /// Wakes the supervisor, for a request to its tracer.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.launched()
            .map_or(Ok(()), |started| started.tree.wake())
    }
}
