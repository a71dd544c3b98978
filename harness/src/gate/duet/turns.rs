//! Two clients in lockstep, one of each server, driven by one thread: both ask, then both are answered.
//!
//! So the servers do exactly the same number of exchanges at the same time, whichever is faster.

use super::session::Failed;
use crate::load::engine::{Lockstep, now};

/// Response times that are kept: their median is all that is asked for.
const TIMES_MAX: usize = 1 << 18;

/// A third server, whose CPU time is nobody's: the partner of exchanges that one side has alone. An exchange by
/// itself takes more CPU time than one of two, since it wakes an idle core.
pub(super) const BALLAST: usize = 2;

/// The turns of a session.
pub(super) struct Turns<'a> {
    /// Of both sides, and of the ballast where something is planted.
    clients: Vec<Lockstep<'a>>,
    /// The side that is given one exchange more in `every` of them.
    planted: Option<usize>,
    every: usize,
    taken: usize,
    paired: usize,
    asked: [u64; 3],
    /// Response times in nanoseconds, of each side.
    times: [Vec<f64>; 3],
}

impl<'a> Turns<'a> {
    pub(super) fn new(clients: Vec<Lockstep<'a>>, planted: Option<usize>, every: usize) -> Self {
        let times = || Vec::with_capacity(TIMES_MAX);
        Self {
            clients,
            planted,
            every,
            taken: 0,
            paired: 0,
            asked: [0; 3],
            times: [times(), times(), Vec::new()],
        }
    }

    /// Takes so many turns: that many exchanges of each side are counted.
    ///
    /// # Errors
    /// The side whose exchange failed, and why.
    pub(super) fn take(&mut self, turns: usize) -> Result<(), Failed> {
        for _ in 0..turns {
            self.taken += 1;
            self.both([0, 1])?;
            if let Some(side) = self.planted
                && self.taken.is_multiple_of(self.every)
            {
                self.both([side, BALLAST])?;
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

    /// Who asks first: one, the other, the other, the one, so that neither gains by it.
    fn both(&mut self, mut sides: [usize; 2]) -> Result<(), Failed> {
        self.paired += 1;
        if matches!(self.paired % 4, 1 | 2) {
            sides.reverse();
        }
        for side in sides {
            self.ready(side)?;
        }
        for side in sides {
            self.ask(side);
        }
        for side in sides {
            self.answered(side)?;
        }
        Ok(())
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
