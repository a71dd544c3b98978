//! How much a check may ask of a server: no more than the server promises, or was seen to accept.

use super::Cx;
use crate::process::Listening;

impl Cx {
    /// Number of requests that a check may send on one connection: `wanted`, or fewer if the server was seen to accept
    /// fewer.
    pub(crate) fn requests(&self, wanted: usize) -> usize {
        let most = self.shared.rehearsal.limits.requests();
        wanted.min(most.unwrap_or(usize::MAX))
    }

    /// Size in bytes of the longest request that a check may send, frame included, if it is known: as the file promises or
    /// states, or as the server was seen to refuse a longer one.
    pub(crate) fn longest_request(&self) -> Option<usize> {
        let promised = self.promise().max_message;
        promised.or(self.shared.rehearsal.limits.message_bytes())
    }

    /// Why a check that needs a request longer than common buffers is skipped.
    pub(crate) fn below_buffers(&self) -> String {
        match (self.promise().max_message, self.longest_request()) {
            (None, Some(most)) => format!(
                "the server accepts requests of at most {most} bytes, fewer than common buffers have"
            ),
            _ => "promise.max_message is smaller than common buffers".to_owned(),
        }
    }

    /// Size in bytes of the longest request that the server was seen to answer before it was judged; 0 if none was tried.
    pub(crate) fn answered_request(&self) -> usize {
        self.shared.rehearsal.tried.message_bytes
    }

    /// A request that the server neither answered nor refused before it was judged: its size in bytes.
    pub(crate) fn odd_request(&self) -> Option<usize> {
        let trouble = self.shared.rehearsal.tried.trouble.as_ref();
        trouble.map(|trouble| trouble.bytes)
    }

    /// Number of connections that a check may open at once: `wanted`, or fewer if the server promises a maximum or was seen
    /// to have one. One connection is left for a well-behaved client. Of a server so slow that the search for its limit ended
    /// before, no more than it was seen to accept. Where a process is started for each connection, by
    /// the server or to log in, all of them must be able to start within half the time limit of a reply.
    pub(crate) fn connections(&self, wanted: usize) -> usize {
        /// Fewest connections that are opened although the limit is not known.
        const UNKNOWN_MIN: usize = 32;
        let tried = &self.shared.rehearsal.tried;
        let is_unknown = tried.connections_cut_short && self.connections_max().is_none();
        let most = match is_unknown {
            true => tried.connections.max(UNKNOWN_MIN),
            false => usize::MAX,
        };
        self.waiting_connections(wanted.min(most))
    }

    /// Like [`Cx::connections`], for clients that may wait for each other.
    pub(crate) fn waiting_connections(&self, wanted: usize) -> usize {
        /// Fewest processes at once.
        const PROCESSES_MIN: usize = 4;
        let most = self.connections_max().unwrap_or(usize::MAX);
        let pace = self.pace();
        let starts_processes =
            *self.server.listening() == Listening::PerConnection || self.talk().has_login();
        let in_time = if starts_processes {
            let each = 2.0 * pace.exchange.as_secs_f64();
            let processes = pace.reply_limit().as_secs_f64() / each;
            (processes as usize).max(PROCESSES_MIN)
        } else {
            usize::MAX
        };
        wanted.min(most).min(in_time)
    }

    /// The number of connections that is promised or was seen to be a limit, less one for a well-behaved client.
    fn connections_max(&self) -> Option<usize> {
        let promised = self.promise().max_connections;
        let most = promised.or(self.shared.rehearsal.limits.connections())?;
        Some(most.saturating_sub(2).max(1))
    }
}
