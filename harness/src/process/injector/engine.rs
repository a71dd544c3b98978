//! The thread that answers calls.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{SocketFlags, accept_with};

use super::caller::{Caller, FAULTS, interrupting};
use super::calls::{self, Call, CallKind};
use super::keeper;
use super::place::{self, Found};
use super::plausible::is_plausible;
use super::rule::{Injected, Place, Record, SeenCall};
use super::shared::{Active, Shared};
use super::transfer::{Moved, Transfer};
use crate::sys::{CallListener, CallResult, PendingCall};

/// Time between two looks at calls that wait for something to read.
const LOOK: Duration = Duration::from_millis(20);
/// The same at accepts that wait for another thread's.
const TURN: Duration = Duration::from_micros(200);
/// Maximum time that a call waits for something to read before the kernel performs it.
const READ_WAIT_MAX: Duration = Duration::from_secs(30);

/// A call that has not been answered yet.
struct Held {
    call: PendingCall,
    until: Until,
}

enum Until {
    /// Its time has come.
    Due(Instant),
    /// There is something to read.
    Readable {
        name: &'static Call,
        caller: Caller,
        transfer: Transfer,
        socket: OwnedFd,
        generation: u64,
        until: Instant,
    },
    /// Another thread has taken the connection that it was let through for. Then the call is decided.
    Turn,
}

/// Answers the calls of one filter.
pub(super) struct Engine {
    listener: CallListener,
    shared: Arc<Shared>,
    /// Readable or closed once the thread is to end.
    stop: OwnedFd,
    held: Vec<Held>,
    /// The signals of which a process of the server has a handler that interrupts calls: bit 0 is signal 1.
    interrupting: u64,
    /// The keeper, and the threads that it has been told of.
    keeper: Option<UnixStream>,
    told: HashSet<u32>,
}

/// Maximum number of threads that are remembered, so that the keeper is told of each only once.
const TOLD_MAX: usize = 10_000;

impl Engine {
    /// Answers the calls of `listener` as `shared` says, until `stop` is closed.
    pub(super) fn new(
        listener: CallListener,
        shared: Arc<Shared>,
        stop: OwnedFd,
        keeper: Option<UnixStream>,
    ) -> Engine {
        Engine {
            listener,
            shared,
            stop,
            held: Vec::new(),
            interrupting: 0,
            keeper,
            told: HashSet::new(),
        }
    }

    /// Runs until no process has the filter any more, or it is told to end.
    pub(super) fn run(mut self) {
        while self.step() {
            self.release();
        }
        for held in &self.held {
            self.listener.answer(held.call.id, CallResult::Continue);
        }
    }

    /// Waits for a call and answers it. False at the end.
    fn step(&mut self) -> bool {
        let limit = self.next_look().map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(0),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let mut sources = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(&self.stop, PollFlags::IN),
        ];
        let sockets = self.held.iter().filter_map(|held| match &held.until {
            Until::Readable { socket, .. } => Some(PollFd::new(socket, PollFlags::IN)),
            Until::Due(_) | Until::Turn => None,
        });
        sources.extend(sockets);
        match poll(&mut sources, limit.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
        let (calls, stop) = (sources[0].revents(), sources[1].revents());
        if calls.contains(PollFlags::IN) {
            // The process may have ended meanwhile.
            if let Ok(call) = self.listener.receive() {
                self.handle(call);
            }
            return true;
        }
        !calls.contains(PollFlags::HUP) && stop.is_empty()
    }

    /// The time until a held call has to be looked at.
    fn next_look(&self) -> Option<Duration> {
        let now = Instant::now();
        let each = self.held.iter().map(|held| match held.until {
            Until::Due(due) => due.saturating_duration_since(now),
            Until::Readable { .. } => LOOK,
            Until::Turn => TURN,
        });
        each.min()
    }

    /// Answers the held calls whose time has come.
    fn release(&mut self) {
        for held in std::mem::take(&mut self.held) {
            if !self.listener.is_waiting(held.call.id) {
                continue;
            }
            if matches!(held.until, Until::Turn) {
                self.answer(held.call);
                continue;
            }
            match released(&held.until, &self.shared) {
                Some(result) => {
                    self.listener.answer(held.call.id, result);
                }
                None => self.held.push(held),
            }
        }
    }

    /// Notes whether a new handler of a signal interrupts calls.
    fn watch_signals(&mut self, call: &PendingCall) {
        let [signal, action, ..] = call.arguments;
        if action != 0
            && let Ok(caller) = Caller::of(call.thread)
        {
            self.interrupting |= interrupting(&caller, signal, action).unwrap_or(0);
        }
    }

    fn tell_keeper(&mut self, thread: u32) {
        if let Some(keeper) = &self.keeper
            && self.told.insert(thread)
        {
            keeper::tell(keeper, thread);
            if self.told.len() > TOLD_MAX {
                self.told.clear();
            }
        }
    }

    fn handle(&mut self, call: PendingCall) {
        self.shared.count();
        self.tell_keeper(call.thread);
        if i64::from(call.number) == libc::SYS_rt_sigaction {
            self.watch_signals(&call);
        }
        self.answer(call);
    }

    fn answer(&mut self, call: PendingCall) {
        let answer = match self.decide(&call) {
            Ok(answer) => answer,
            Err(error) => {
                self.trouble(&error);
                Answer::Now(CallResult::Continue)
            }
        };
        match answer {
            Answer::Now(result) => {
                self.listener.answer(call.id, result);
            }
            Answer::Later(until) => self.held.push(Held { call, until }),
        }
    }

    /// Notes why a result could not be injected, unless the process has ended.
    fn trouble(&self, error: &io::Error) {
        if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) {
            return;
        }
        if let Some(active) = &mut self.shared.state().active {
            let trouble = format!("the server's calls cannot be examined: {error}");
            active.record.trouble = Some(trouble);
        }
    }

    fn decide(&self, pending: &PendingCall) -> io::Result<Answer> {
        let Some(call) = calls::of_number(pending.number) else {
            return Ok(PROCEED);
        };
        let mut state = self.shared.state();
        match call.kind {
            CallKind::Rings => state.rings = true,
            CallKind::Unanswered => return watch(state.active.as_mut(), call, pending),
            _ => {}
        }
        let generation = state.generation;
        let Some(active) = &mut state.active else {
            return Ok(PROCEED);
        };
        active.accepting.calls(pending.thread);
        if !active.rule.names(call) {
            return match active.rule.slow_sends {
                Some(by) if call.kind == CallKind::Send => slowed(active, call, pending, by),
                _ => Ok(PROCEED),
            };
        }
        let caller = Caller::of(pending.thread)?;
        let found = place::find(&active.site, &caller, call, pending)?;
        if !active.rule.covers(found.place, found.peer) || !self.listener.is_waiting(pending.id) {
            return Ok(PROCEED);
        }
        if found.is_in_vain(call.kind) {
            // What the kernel would have returned at this moment. Performed later, the call might take what arrives meanwhile,
            // and would be a part of the exchange that was not counted.
            return Ok(Answer::Now(CallResult::Error(libc::EAGAIN)));
        }
        let takes = call.kind == CallKind::Accept && !found.is_blocking;
        if takes && active.accepting.is_busy(Instant::now()) {
            return Ok(Answer::Later(Until::Turn));
        }
        let answer = self.concerned(active, generation, call, pending, caller, found)?;
        if takes && matches!(answer, Answer::Now(CallResult::Continue)) {
            active.accepting.begins(pending.thread, Instant::now());
        }
        Ok(answer)
    }

    /// Decides a call that the rule concerns.
    fn concerned(
        &self,
        active: &mut Active,
        generation: u64,
        call: &'static Call,
        pending: &PendingCall,
        caller: Caller,
        found: Found,
    ) -> io::Result<Answer> {
        let rule = active.rule.clone();
        let seen = SeenCall {
            name: call.name,
            kind: call.kind,
            place: found.place,
            is_blocking: found.is_blocking,
            // Unlike others, a wait for events never goes on after a handler, whatever its flags.
            is_interruptible: match call.kind {
                CallKind::Wait => caller.handled & !FAULTS != 0,
                _ => caller.handled & self.interrupting != 0,
            },
        };
        let is_plausible = is_plausible(rule.result, &seen);
        let transfer = match rule.result {
            Injected::Short => Transfer::of(&caller, call, pending, found.peer, &mut active.peeked),
            _ => None,
        };
        let record = &mut active.record;
        if !record.matched(&rule, seen) {
            return Ok(PROCEED);
        }
        if !is_plausible {
            record.implausible += 1;
            return Ok(PROCEED);
        }
        match (rule.result, transfer) {
            (Injected::Late(by), _) => {
                record.injected(call, rule.result);
                Ok(Answer::Later(Until::Due(Instant::now() + by)))
            }
            (Injected::Error(number), _) => {
                record.injected(call, rule.result);
                lose_connection(number, call, &found);
                Ok(Answer::Now(CallResult::Error(number)))
            }
            (Injected::Short, Some(transfer)) => {
                make_short(record, call, caller, transfer, found, generation)
            }
            (Injected::Short, None) | (Injected::Nothing, _) => Ok(PROCEED),
        }
    }
}

/// Notes a call on a socket of the server whose result cannot be replaced.
fn watch(
    active: Option<&mut Active>,
    call: &'static Call,
    pending: &PendingCall,
) -> io::Result<Answer> {
    if let Some(active) = active {
        let caller = Caller::of(pending.thread)?;
        let found = place::find(&active.site, &caller, call, pending)?;
        if matches!(found.place, Place::Listener | Place::Connection) {
            active.record.unanswered.insert(call.name);
        }
    }
    Ok(PROCEED)
}

/// Lets a send on a connection return late.
fn slowed(
    active: &Active,
    call: &'static Call,
    pending: &PendingCall,
    by: Duration,
) -> io::Result<Answer> {
    let caller = Caller::of(pending.thread)?;
    let found = place::find(&active.site, &caller, call, pending)?;
    Ok(match found.place {
        Place::Connection => Answer::Later(Until::Due(Instant::now() + by)),
        _ => PROCEED,
    })
}

/// Moves one byte of a transfer, or waits until there is something to read.
fn make_short(
    record: &mut Record,
    call: &'static Call,
    caller: Caller,
    transfer: Transfer,
    found: Found,
    generation: u64,
) -> io::Result<Answer> {
    let Some(socket) = found.descriptor else {
        return Ok(PROCEED);
    };
    match transfer.perform(&caller, &socket)? {
        Moved::Short => {
            record.injected(call, Injected::Short);
            Ok(Answer::Now(CallResult::Value(1)))
        }
        Moved::NotYet if found.is_blocking => Ok(Answer::Later(Until::Readable {
            name: call,
            caller,
            transfer,
            socket,
            generation,
            until: Instant::now() + READ_WAIT_MAX,
        })),
        Moved::NotYet | Moved::NotApplicable => Ok(PROCEED),
    }
}

/// The kernel performs the call.
const PROCEED: Answer = Answer::Now(CallResult::Continue);

enum Answer {
    Now(CallResult),
    Later(Until),
}

/// An accept that reports the end of a connection takes it out of the queue, if one is there.
fn lose_connection(number: i32, call: &Call, found: &Found) {
    if call.kind != CallKind::Accept
        || !matches!(number, libc::ECONNABORTED | libc::EPROTO)
        || found.is_blocking
    {
        return;
    }
    let Some(listener) = &found.descriptor else {
        return;
    };
    // Does not wait: the listener is in non-blocking mode, which its duplicate shares.
    if let Ok(lost) = accept_with(listener.as_fd(), SocketFlags::CLOEXEC) {
        // Closes it with a reset.
        let _ = set_socket_linger(lost, Some(Duration::ZERO));
    }
}

/// The result of a held call; `None` if it has to be held longer, or to be decided.
fn released(until: &Until, shared: &Shared) -> Option<CallResult> {
    match until {
        Until::Turn => None,
        Until::Due(due) => (*due <= Instant::now()).then_some(CallResult::Continue),
        Until::Readable {
            name,
            caller,
            transfer,
            socket,
            generation,
            until,
        } => {
            let mut state = shared.state();
            if state.generation != *generation || *until <= Instant::now() {
                return Some(CallResult::Continue);
            }
            match transfer.perform(caller, socket) {
                Ok(Moved::NotYet) => None,
                Ok(Moved::Short) => {
                    if let Some(active) = &mut state.active {
                        active.record.injected(name, Injected::Short);
                    }
                    Some(CallResult::Value(1))
                }
                Ok(Moved::NotApplicable) | Err(_) => Some(CallResult::Continue),
            }
        }
    }
}
