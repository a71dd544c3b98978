//! Programs that log in during the talk's opening: once per connection, while the other connections carry requests.

use std::collections::VecDeque;
use std::time::Duration;

use super::Engine;
use super::conn::State;
use crate::process::{Login, LoginCommand};
use crate::talk::{self, Bindings, Exec};

/// Maximum number of programs at the same time per thread. They take CPU time from the measurement.
const RUNNING_MAX: usize = 8;
/// Time limit of a program.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum wait for events while programs run, since their end is no event.
const WAIT_MAX: Duration = Duration::from_millis(1);
/// Additional time to open all connections, for each of them.
const PATIENCE_EACH: Duration = Duration::from_millis(500);

/// The logins of one engine thread.
#[derive(Debug, Default)]
pub(super) struct Logins {
    waiting: VecDeque<PendingLogin>,
    running: Vec<(PendingLogin, Login)>,
}

/// A connection in the middle of its opening.
#[derive(Debug)]
struct PendingLogin {
    /// Its place in the table, and its generation: it may be closed meanwhile.
    at: usize,
    generation: u32,
    /// The step of the opening.
    step: usize,
    label: String,
    command: LoginCommand,
    bindings: Bindings,
}

impl Logins {
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }
}

/// The time that the logins of all `connections` may take.
pub(super) fn patience(talk: &talk::Talk, connections: usize) -> Duration {
    let logs_in = talk.has_login();
    let each = if logs_in {
        PATIENCE_EACH
    } else {
        Duration::ZERO
    };
    each * u32::try_from(connections).unwrap_or(u32::MAX)
}

impl Engine<'_> {
    /// Queues the program of the opening's step `step`.
    pub(super) fn begin_login(&mut self, at: usize, step: usize, exec: &Exec, bindings: Bindings) {
        let words = match exec.render(&bindings) {
            Ok(words) => words,
            Err(why) => return self.lose(at, || format!("{}: {why}", exec.label)),
        };
        let conn = &self.connections[at];
        let unread = conn.cold.as_ref().map_or(0, |cold| cold.partial.len());
        if unread > 0 {
            return self.opening_failed(
                at,
                &format!("{}: {unread} bytes arrived before the login", exec.label),
            );
        }
        let generation = conn.generation;
        // The program reads the connection, so this thread must not.
        if let Err(error) = self.connections.watch(at, false) {
            return self.lose(at, || format!("a connection failed: {error}"));
        }
        self.logins.waiting.push_back(PendingLogin {
            at,
            generation,
            step,
            label: exec.label.clone(),
            command: LoginCommand {
                words,
                dir: exec.dir.clone(),
            },
            bindings,
        });
        self.start_logins();
    }

    fn start_logins(&mut self) {
        while self.logins.running.len() < RUNNING_MAX {
            let Some(pending) = self.logins.waiting.pop_front() else {
                return;
            };
            let conn = &self.connections[pending.at];
            let socket = conn.socket.as_ref();
            let Some(socket) = socket.filter(|_| conn.generation == pending.generation) else {
                continue;
            };
            match Login::start(pending.command.clone(), socket) {
                Ok(login) => self.logins.running.push((pending, login)),
                Err(error) => {
                    let why = format!("{}: the login cannot be started: {error}", pending.label);
                    self.lose(pending.at, || why);
                }
            }
        }
    }

    /// Shortens the wait for events while logins are pending.
    #[inline(always)]
    pub(super) fn until_login(&self, wait: Option<Duration>) -> Option<Duration> {
        match self.logins.is_idle() {
            true => wait,
            false => wait.map(|wait| wait.min(WAIT_MAX)),
        }
    }

    /// Continues the openings whose programs have ended.
    pub(super) fn continue_logins(&mut self) {
        let mut at = 0;
        while at < self.logins.running.len() {
            let (_, login) = &self.logins.running[at];
            let ended = login
                .ended()
                .or_else(|| (login.elapsed() >= TIMEOUT).then(|| Err(login.timed_out(TIMEOUT))));
            let Some(result) = ended else {
                at += 1;
                continue;
            };
            let (pending, login) = self.logins.running.swap_remove(at);
            // Restores the modes of the socket.
            drop(login);
            let conn = &self.connections[pending.at];
            if conn.generation != pending.generation || conn.state != State::Opening {
                continue;
            }
            match result {
                Ok(()) => self.logged_in(pending),
                Err(failure) => {
                    let why = format!("{}: {failure}", pending.label);
                    self.opening_failed(pending.at, &why);
                }
            }
        }
        self.start_logins();
    }

    fn logged_in(&mut self, pending: PendingLogin) {
        let PendingLogin {
            at, step, bindings, ..
        } = pending;
        if let Err(error) = self.connections.watch(at, true) {
            return self.lose(at, || format!("a connection failed: {error}"));
        }
        self.next_exchange(at, step + 1, bindings);
    }
}
