//! Requests to what stands beside a running server: its injector and its tracer.

use std::io;

use super::Server;
use super::injector::{Injection, Rule};

impl Server {
    /// Puts a rule into force about what its system calls return, or says why that is not possible.
    pub(crate) fn inject(&self, rule: Rule) -> Result<Injection, String> {
        match self.launched() {
            Some(started) => started.inject(rule),
            None => Err("tcprove did not start this server".into()),
        }
    }

    /// Wakes the supervisor, for a request to its tracer.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.launched()
            .map_or(Ok(()), |started| started.tree.wake())
    }
}
