//! Opens and closes connections without blocking.

use std::io;
use std::time::Duration;

use super::connections::{CONNECTING_MAX, Refused};
use super::{Engine, now};
use crate::process::socket_table;

impl Engine<'_> {
    /// Opens the initial connections, until all of them carry requests or `patience` has passed.
    pub(super) fn connect_all(&mut self, patience: Duration) {
        let give_up = now() + patience.as_nanos() as u64;
        while self.connections.missing() > 0 && !self.context.run_state.is_stopped() {
            self.now = now();
            if self.now >= give_up {
                break;
            }
            self.connections.limit_connecting(self.room_in_backlog());
            self.open_wanted();
            self.pump(Some(Duration::from_millis(1)));
        }
        self.connections.limit_connecting(CONNECTING_MAX);
        self.tally.missing = self.connections.missing() as u64;
    }

    /// Opens the connections that are due: those that a ramp adds, those that churn reopens, and retries.
    pub(super) fn open_more(&mut self) {
        if self.connections.is_growing() {
            let period = self.recorder.period();
            let passed = self.now.saturating_sub(period.from) as f64;
            let part = passed / (period.to - period.from).max(1) as f64;
            self.connections.want_by(part, self.now);
        }
        if self.connections.has_closed() {
            self.open_wanted();
        }
    }

    fn open_wanted(&mut self) {
        while let Some(begun) = self.connections.open_next(self.now) {
            if let Err(refused) = begun {
                self.connect_failed(refused);
            }
        }
    }

    /// Connects that may be in progress now. The kernel completes a connect before the server accepts it; a
    /// connect for which the backlog has no room is dropped and sent again after a second.
    fn room_in_backlog(&self) -> usize {
        // The socket table shows no backlog of a Unix socket, whose connects wait in the client instead.
        let Some(addr) = self.context.endpoint.address.tcp() else {
            return CONNECTING_MAX;
        };
        let listeners = socket_table::listeners(Some(addr.port())).unwrap_or_default();
        let free = listeners
            .iter()
            .map(|listener| listener.backlog.saturating_sub(listener.queued) as usize)
            .min();
        let ours = free.map(|free| free / (2 * self.context.workload.threads_of_all_parts()));
        ours.unwrap_or(CONNECTING_MAX).min(CONNECTING_MAX)
    }

    /// Handles a connect that succeeded or failed.
    pub(super) fn connected(&mut self, at: usize) {
        if let Err(refused) = self.connections.end_connect(at) {
            return self.connect_failed(refused);
        }
        if self.context.one_by_one {
            let (number, course) = self.requests.next_connection();
            let cold = self.connections[at].cold();
            (cold.number, cold.course) = (number, course);
        }
        self.begin_conversation(at);
    }

    /// Starts sending requests on a connection.
    pub(super) fn serve(&mut self, at: usize) {
        self.tally.connects += 1;
        self.connections.serve(at);
        self.use_room(at);
    }

    fn connect_failed(&mut self, Refused(at, error): Refused) {
        self.tally.connect_failures += 1;
        self.tally.connects_lacking += u64::from(is_ours(&error));
        self.tally.note(|| why_refused(&error));
        self.connections.retry(at, self.now);
    }

    /// Closes a connection whose end was planned; another one is opened in its place.
    pub(super) fn close_planned(&mut self, at: usize) {
        self.tally.planned_closes += 1;
        self.say_goodbye(at);
        self.leave(at);
    }

    /// Closes a connection that ended unexpectedly; its requests count as unanswered.
    pub(super) fn lose(&mut self, at: usize, why: impl FnOnce() -> String) {
        self.tally.lost += 1;
        self.tally.note(why);
        self.leave(at);
    }

    fn leave(&mut self, at: usize) {
        self.give_up_requests(at);
        self.connections.close(at, self.now);
    }

    /// Records the requests in flight on a connection as unanswered.
    pub(super) fn give_up_requests(&mut self, at: usize) {
        while let Some(flight) = self.connections[at].flights.pop_front() {
            self.progress.gave_up();
            self.recorder.lost(flight.intended, self.now);
        }
    }
}

/// Whether the client has no descriptor or port left, so that the server is not at fault.
fn is_ours(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::EADDRNOTAVAIL)
    )
}

fn why_refused(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => format!(
            "the client has no descriptor left for another connection ({error}): raise the limit (`ulimit -n`) or lower --connections"
        ),
        Some(libc::EADDRNOTAVAIL) => format!(
            "the client has no local port left for another connection ({error}): widen net.ipv4.ip_local_port_range or lower --connections"
        ),
        _ => format!("a connection could not be opened: {error}"),
    }
}
