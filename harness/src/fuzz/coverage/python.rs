//! The code that a Python server executes: lines, and of its own code each instruction, by `sys.monitoring` of Python 3.12.
//!
//! A hook tells each place until tcprove knows it, and then turns the event of that place off, so that it costs nothing any
//! more. It runs first because its folder is first in `PYTHONPATH`, and then runs the `sitecustomize` that it hides.

use super::Known;
use super::script::Watcher;
use super::source::{Entry, Found, Look, Offer, Sight, Source};
use crate::process::Interpreter;

const SCRIPT: &str = include_str!("python.py");

pub(super) const ENTRY: Entry = Entry { name: "python", of };

fn of(look: &Look<'_>) -> Offer {
    if Interpreter::Python.among(look.programs).is_none() {
        return look
            .is_asked
            .then(|| Err("python does not run the server".into()));
    }
    let hook = Watcher::new(look.launch, Interpreter::Python, SCRIPT, trouble);
    Some(hook.map(|hook| Box::new(Python(hook)) as Box<dyn Source>))
}

fn trouble(state: u32) -> Option<String> {
    match state {
        1 => None,
        2 => Some("Python 3.12 or later would let tcprove see lines".into()),
        3 => Some("other tools use sys.monitoring".into()),
        _ => Some(Interpreter::Python.excuse().into()),
    }
}

/// A Python server.
#[derive(Debug)]
struct Python(Watcher);

impl Source for Python {
    fn unit(&self) -> &'static str {
        "lines and instructions"
    }

    fn about(&self) -> String {
        "lines and instructions of Python".into()
    }

    fn places(&self) -> usize {
        self.0.places()
    }

    fn begin(&self) -> Found<Box<dyn Sight>> {
        Ok(Box::new(self.0.map()?))
    }

    fn leave_out(&self, place: u32) {
        self.0.leave_out(place);
    }

    fn hints(&self, _: &[Known], _: &[u32]) -> Vec<Vec<u8>> {
        self.0.words()
    }
}
