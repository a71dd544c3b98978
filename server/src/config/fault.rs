//! The description of a planted fault.

use super::hooks::Hooks;
use super::layer::Layer;
use super::model::Model;
use crate::Protocol;

/// A planted fault: one defect in an otherwise sound server.
#[derive(Debug)]
pub struct Fault {
    /// The name used on the command line.
    pub name: &'static str,
    /// The id of the check that must catch the fault, or [`LOAD`], [`FUZZ`] or [`GATE`].
    pub caught_by: &'static str,
    /// The kind of failure that the check, load, campaign or gate must report.
    pub kind: &'static str,
    /// The defect in one line, shown by `--list-faults`.
    pub about: &'static str,
    /// The protocol in which the defect shows.
    pub protocol: Protocol,
    /// The concurrency model in which the defect shows.
    pub model: Model,
    /// The hooks through which the fault acts.
    pub(crate) hooks: Hooks,
}

/// The value of [`Fault::caught_by`] for a fault that only a load reveals: it takes thousands of
/// replies or dozens of connections to show.
pub const LOAD: &str = "load";
/// The value of [`Fault::caught_by`] for a fault that only a fuzz campaign reveals: it needs bytes,
/// or an order of messages, that no check sends.
pub const FUZZ: &str = "fuzz";
/// The value of [`Fault::caught_by`] for a fault that only the gate reveals: every reply is correct
/// but costs more than before.
pub const GATE: &str = "gate";

impl Fault {
    /// Whether a check must catch the fault.
    pub fn is_for_check(&self) -> bool {
        !self.is_for_load() && !self.is_for_fuzz() && !self.is_for_gate()
    }

    /// The layer in which the defect shows; `None` for one that shows on a plain connection.
    pub fn layer(&self) -> Option<Layer> {
        self.hooks.layers.layer
    }

    /// Whether a load must catch the fault.
    pub fn is_for_load(&self) -> bool {
        self.caught_by == LOAD
    }

    /// Whether a fuzz campaign must catch the fault.
    pub fn is_for_fuzz(&self) -> bool {
        self.caught_by == FUZZ
    }

    /// Whether the gate must catch the fault.
    pub fn is_for_gate(&self) -> bool {
        self.caught_by == GATE
    }
}
