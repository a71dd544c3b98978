//! Two clients in lockstep, one of each server, driven by one thread: both ask, then both are answered.
//!
//! So the servers do exactly the same number of exchanges at the same time, whichever is faster.

use super::session::Failed;
use crate::load::engine::{Lockstep, now};

/// Response times that are kept: their median is all that is asked for.
const TIMES_MAX: usize = 1 << 18;

/// The turns of a session.
pub(super) struct Turns<'a> {
    clients: [Lockstep<'a>; 2],
    /// The side that is given one exchange more in `every` of them.
    planted: Option<usize>,
    every: usize,
    taken: usize,
    asked: [u64; 2],
    /// Response times in nanoseconds, of each side.
    times: [Vec<f64>; 2],
}

impl<'a> Turns<'a> {
    pub(super) fn new(clients: [Lockstep<'a>; 2], planted: Option<usize>, every: usize) -> Self {
        let times = || Vec::with_capacity(TIMES_MAX);
        Self {
            clients,
            planted,
            every,
            taken: 0,
            asked: [0; 2],
            times: [times(), times()],
        }
    }

    /// Takes so many turns: that many exchanges of each side are counted.
    ///
    /// # Errors
    /// The side whose exchange failed, and why.
    pub(super) fn take(&mut self, turns: usize) -> Result<(), Failed> {
        for _ in 0..turns {
            self.taken += 1;
            match self.planted {
                Some(side) if self.taken.is_multiple_of(self.every) => self.with_one_more(side)?,
                _ => self.both(self.first())?,
            }
        }
        Ok(())
    }

    /// Forgets the times so far.
    pub(super) fn forget_times(&mut self) {
        self.times.iter_mut().for_each(Vec::clear);
    }

    /// The median response time of a side in nanoseconds.
    pub(super) fn median_ns(&self, side: usize) -> Option<f64> {
        crate::stats::median(&self.times[side])
    }

    /// Who asks first: 0, 1, 1, 0, so that neither side gains by it.
    fn first(&self) -> usize {
        usize::from(matches!(self.taken % 4, 1 | 2))
    }

    fn both(&mut self, first: usize) -> Result<(), Failed> {
        let order = [first, 1 - first];
        for side in order {
            self.ready(side)?;
        }
        for side in order {
            self.ask(side);
        }
        for side in order {
            self.answered(side)?;
        }
        Ok(())
    }

    /// As [`Self::both`], and one exchange more of this side. The other asks while that one is under way,
    /// so that no exchange is the only one: a server that wakes an idle core uses more CPU time.
    fn with_one_more(&mut self, side: usize) -> Result<(), Failed> {
        let other = 1 - side;
        self.ready(side)?;
        self.ready(other)?;
        self.ask(side);
        self.ask(other);
        self.answered(side)?;
        self.ready(side)?;
        self.ask(side);
        self.answered(other)?;
        self.answered(side)
    }

    fn ready(&mut self, side: usize) -> Result<(), Failed> {
        self.clients[side]
            .ready()
            .map_err(|why| Failed { side, why })
    }

    fn ask(&mut self, side: usize) {
        self.asked[side] = now();
        self.clients[side].ask();
    }

    fn answered(&mut self, side: usize) -> Result<(), Failed> {
        let came = self.clients[side].answered();
        let came = came.map_err(|why| Failed { side, why })?;
        let times = &mut self.times[side];
        if times.len() < TIMES_MAX {
            times.push(came.saturating_sub(self.asked[side]) as f64);
        }
        Ok(())
    }
}
