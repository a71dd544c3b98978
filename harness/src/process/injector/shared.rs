//! What the thread that answers calls shares with the owner of the rules: the rule in force, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::accepting::Accepting;
use super::place::Site;
use super::rule::{Record, Rule};
use super::transfer::Peeked;

/// What the thread and its owner share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Number of calls so far.
    calls: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Counts the rules.
    pub(super) generation: u64,
    pub(super) active: Option<Active>,
    /// A process of the server has set up rings.
    pub(super) rings: bool,
}

/// The rule in force.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) rule: Rule,
    pub(super) site: Site,
    pub(super) record: Record,
    pub(super) peeked: Peeked,
    pub(super) accepting: Accepting,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a rule into force instead of any other. Returns its number.
    pub(super) fn arm(&self, site: Site, rule: Rule) -> u64 {
        let mut state = self.state();
        state.generation += 1;
        state.active = Some(Active {
            rule,
            site,
            record: Record::default(),
            peeked: Peeked::default(),
            accepting: Accepting::default(),
        });
        state.generation
    }

    /// What the rule of this number has done so far, if it is still in force.
    pub(super) fn record(&self, number: u64) -> Option<Record> {
        let state = self.state();
        let active = state.active.as_ref();
        active
            .filter(|_| state.generation == number)
            .map(|active| active.record.clone())
    }

    /// Counts a call.
    pub(super) fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of calls that the filter has reported so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether a process of the server makes calls that no filter sees.
    pub(super) fn has_rings(&self) -> bool {
        self.state().rings
    }

    /// Ends the rule of this number.
    pub(super) fn disarm(&self, number: u64) {
        let mut state = self.state();
        if state.generation == number {
            state.generation += 1;
            state.active = None;
        }
    }
}
