//! The steps of a check, for the evidence of a finding. Bounded: the first steps are kept.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Maximum number of lines kept; later ones are only counted.
const LINES_MAX: usize = 24;

/// The steps of one check on all its connections. Clones share one list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    connections: Cell<u32>,
    lines: RefCell<Vec<String>>,
    dropped: Cell<u64>,
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

    /// Adds a step of connection `number`.
    pub(crate) fn add(&self, number: u32, step: String) {
        let mut lines = self.0.lines.borrow_mut();
        if lines.len() < LINES_MAX {
            lines.push(format!("#{number} {step}"));
        } else {
            self.0.dropped.set(self.0.dropped.get() + 1);
        }
    }

    /// The steps so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.0.lines.borrow().clone();
        if self.0.dropped.get() > 0 {
            lines.push(format!("… and {} more steps", self.0.dropped.get()));
        }
        lines
    }
}
