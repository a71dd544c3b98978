//! The steps of a check, for the evidence of a finding. Bounded: the first steps are kept, and the last ones.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use crate::data::{Action, Actions, Actor};

/// Maximum number of first steps kept.
const FIRST_MAX: usize = 24;
/// Maximum number of last steps kept: the one that failed is among them.
const LAST_MAX: usize = 8;

/// The steps of one check on all its connections. Clones share one list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    connections: Cell<u32>,
    first: RefCell<Vec<Action>>,
    left_out: Cell<u64>,
    last: RefCell<VecDeque<Action>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            connections: Cell::default(),
            first: RefCell::default(),
            left_out: Cell::default(),
            last: RefCell::default(),
        }
    }
}

impl Transcript {
    /// The number of a new connection, starting at 1.
    pub(crate) fn number(&self) -> u32 {
        self.0.connections.set(self.0.connections.get() + 1);
        self.0.connections.get()
    }

    /// Number of connections so far.
    pub(crate) fn connections(&self) -> u32 {
        self.0.connections.get()
    }

    /// Adds a step of connection `connection`.
    pub(crate) fn add(&self, connection: u32, by: Actor, what: String) {
        let step = Action {
            at_ms: self.0.begun.elapsed().as_micros() as f64 / 1e3,
            connection,
            by,
            what,
            times: 1,
        };
        let mut first = self.0.first.borrow_mut();
        let mut last = self.0.last.borrow_mut();
        // A client that asks again and again until it is served.
        let before = last.back_mut().or(first.last_mut());
        if let Some(before) = before.filter(|before| by == Actor::Check && before.what == step.what)
        {
            before.times += 1;
            return;
        }
        if first.len() < FIRST_MAX {
            first.push(step);
            return;
        }
        if last.len() == LAST_MAX {
            last.pop_front();
            self.0.left_out.set(self.0.left_out.get() + 1);
        }
        last.push_back(step);
    }

    /// The steps so far.
    pub(crate) fn actions(&self) -> Actions {
        Actions {
            first: self.0.first.borrow().clone(),
            left_out: self.0.left_out.get(),
            last: self.0.last.borrow().iter().cloned().collect(),
        }
    }

    /// The steps so far, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.actions().lines(FIRST_MAX, LAST_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_steps_are_kept_too() {
        let transcript = Transcript::default();
        let kept = FIRST_MAX + LAST_MAX;
        for number in 0..kept + 3 {
            transcript.add(1, Actor::Client, format!("send {number}"));
        }
        let steps = transcript.actions();
        assert_eq!((steps.first.len(), steps.left_out), (FIRST_MAX, 3));
        assert_eq!(steps.last[LAST_MAX - 1].what, format!("send {}", kept + 2));
        transcript.add(2, Actor::Check, "refused".into());
        transcript.add(3, Actor::Check, "refused".into());
        let lines = transcript.lines();
        assert_eq!(lines.last().unwrap(), "#2 refused (2 times)");
        assert_eq!(lines[FIRST_MAX], "… 4 more steps");
        assert_eq!(lines[FIRST_MAX + 1], format!("#1 send {}", FIRST_MAX + 4));
    }
}
