//! Two clients in lockstep, one per server, driven by one thread: both send, then both receive.
//!
//! Both servers therefore serve the same number of exchanges at the same time, whichever is faster. The client looks for
//! both replies in turn: the time of one must not contain the wait for the other.

use crate::gate::side::{Pair, Side};
use crate::load::engine::{Lockstep, now};

/// Maximum number of response times kept per client; only their median is used.
const TIMES_MAX: usize = 1 << 18;

/// Whose exchange it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Participant {
    /// A server that is compared.
    Side(Side),
    /// A third server whose CPU time is not counted. It is the partner of the extra exchanges of one side: an
    /// exchange by itself takes more CPU time than one of two, since it wakes an idle core.
    Ballast,
}

/// An exchange failed.
#[derive(Debug)]
pub(super) struct FailedExchange {
    pub participant: Participant,
    pub why: String,
}

/// The exchanges of a session.
pub(super) struct Turns<'a> {
    sides: Pair<Client<'a>>,
    planted: Option<PlantedWork<'a>>,
    taken: usize,
    paired: usize,
    /// When the last reply arrived, in nanoseconds of the monotonic clock.
    ended: u64,
}

/// Extra exchanges of one side.
pub(super) struct PlantedWork<'a> {
    pub side: Side,
    /// One extra exchange after this many turns.
    pub every: usize,
    pub ballast: Client<'a>,
}

/// The client of one server, with its response times in nanoseconds.
pub(super) struct Client<'a> {
    participant: Participant,
    lockstep: Lockstep<'a>,
    sent: u64,
    /// When waiting for the reply ends, in nanoseconds of the monotonic clock.
    give_up: u64,
    times: Vec<f64>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(sides: Pair<Client<'a>>, planted: Option<PlantedWork<'a>>) -> Self {
        Self {
            sides,
            planted,
            taken: 0,
            paired: 0,
            ended: 0,
        }
    }

    /// Takes this many turns: one counted exchange of each side per turn. Takes no further turn after the moment
    /// `until`, in nanoseconds of the monotonic clock. Returns how many it took.
    ///
    /// # Errors
    /// The participant whose exchange failed, and why.
    pub(super) fn take(&mut self, turns: usize, until: u64) -> Result<usize, FailedExchange> {
        for taken in 0..turns {
            if self.ended >= until {
                return Ok(taken);
            }
            self.taken += 1;
            let Pair { base, candidate } = &mut self.sides;
            self.ended = in_lockstep(&mut self.paired, base, candidate)?;
            if let Some(planted) = &mut self.planted
                && self.taken.is_multiple_of(planted.every)
            {
                let side = &mut self.sides[planted.side];
                self.ended = in_lockstep(&mut self.paired, side, &mut planted.ballast)?;
            }
        }
        Ok(turns)
    }

    /// Plants an extra exchange after this many turns from now on.
    pub(super) fn plant_every(&mut self, every: usize) {
        self.taken = 0;
        if let Some(planted) = &mut self.planted {
            planted.every = every;
        }
    }

    /// Discards the response times of the warm-up.
    pub(super) fn forget_times(&mut self) {
        for side in Side::BOTH {
            self.sides[side].times.clear();
        }
    }

    /// Number of bytes that the client of each side has sent and received so far.
    pub(super) fn bytes(&self) -> Pair<u64> {
        self.sides.as_ref().map(|client| client.lockstep.bytes())
    }

    /// The median response time of a side in nanoseconds.
    pub(super) fn median_ns(&self, side: Side) -> Option<f64> {
        crate::stats::median(&self.sides[side].times)
    }
}

/// One exchange of each client at the same time. Who sends first follows the pattern A B B A, so that neither
/// gains by it. Returns when the last reply arrived.
fn in_lockstep<'a>(
    paired: &mut usize,
    one: &mut Client<'a>,
    other: &mut Client<'a>,
) -> Result<u64, FailedExchange> {
    *paired += 1;
    let reversed = matches!(*paired % 4, 1 | 2);
    let (first, second) = if reversed { (other, one) } else { (one, other) };
    first.ready()?;
    second.ready()?;
    first.send();
    second.send();
    let (mut one, mut other) = (None, None);
    loop {
        if one.is_none() {
            one = first.poll()?;
        }
        if other.is_none() {
            other = second.poll()?;
        }
        if let Some((one, other)) = one.zip(other) {
            return Ok(one.max(other));
        }
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(participant: Participant, lockstep: Lockstep<'a>) -> Self {
        let kept = match participant {
            Participant::Side(_) => TIMES_MAX,
            Participant::Ballast => 0,
        };
        Self {
            participant,
            lockstep,
            sent: 0,
            give_up: 0,
            times: Vec::with_capacity(kept),
        }
    }

    fn failed(&self, why: String) -> FailedExchange {
        FailedExchange {
            participant: self.participant,
            why,
        }
    }

    fn ready(&mut self) -> Result<(), FailedExchange> {
        self.lockstep.ready().map_err(|why| self.failed(why))
    }

    fn send(&mut self) {
        self.sent = now();
        self.give_up = self.lockstep.give_up();
        self.lockstep.ask();
    }

    /// Looks once for the reply. Returns when it arrived; `None` if it has not yet.
    fn poll(&mut self) -> Result<Option<u64>, FailedExchange> {
        let received = self.lockstep.poll(self.give_up);
        let received = received.map_err(|why| self.failed(why))?;
        if let Some(received) = received
            && self.times.len() < self.times.capacity()
        {
            self.times.push(received.saturating_sub(self.sent) as f64);
        }
        Ok(received)
    }
}
