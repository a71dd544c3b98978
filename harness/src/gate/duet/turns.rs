//! Two clients in lockstep, one per server, driven by one thread: both send, then both receive.
//!
//! Both servers therefore serve the same number of exchanges at the same time, whichever is faster.

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
    times: Vec<f64>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(sides: Pair<Client<'a>>, planted: Option<PlantedWork<'a>>) -> Self {
        Self {
            sides,
            planted,
            taken: 0,
            paired: 0,
        }
    }

    /// Takes this many turns: one counted exchange of each side per turn.
    ///
    /// # Errors
    /// The participant whose exchange failed, and why.
    pub(super) fn take(&mut self, turns: usize) -> Result<(), FailedExchange> {
        for _ in 0..turns {
            self.taken += 1;
            let Pair { base, candidate } = &mut self.sides;
            in_lockstep(&mut self.paired, base, candidate)?;
            if let Some(planted) = &mut self.planted
                && self.taken.is_multiple_of(planted.every)
            {
                let side = &mut self.sides[planted.side];
                in_lockstep(&mut self.paired, side, &mut planted.ballast)?;
            }
        }
        Ok(())
    }

    /// Discards the response times of the warm-up.
    pub(super) fn forget_times(&mut self) {
        for side in Side::BOTH {
            self.sides[side].times.clear();
        }
    }

    /// The median response time of a side in nanoseconds.
    pub(super) fn median_ns(&self, side: Side) -> Option<f64> {
        crate::stats::median(&self.sides[side].times)
    }
}

/// One exchange of each client at the same time. Who sends first follows the pattern A B B A, so that neither
/// gains by it.
fn in_lockstep<'a>(
    paired: &mut usize,
    one: &mut Client<'a>,
    other: &mut Client<'a>,
) -> Result<(), FailedExchange> {
    *paired += 1;
    let reversed = matches!(*paired % 4, 1 | 2);
    let (first, second) = if reversed { (other, one) } else { (one, other) };
    first.ready()?;
    second.ready()?;
    first.send();
    second.send();
    first.receive()?;
    second.receive()
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
        self.lockstep.ask();
    }

    fn receive(&mut self) -> Result<(), FailedExchange> {
        let received = self.lockstep.answered();
        let received = received.map_err(|why| self.failed(why))?;
        if self.times.len() < self.times.capacity() {
            self.times.push(received.saturating_sub(self.sent) as f64);
        }
        Ok(())
    }
}
