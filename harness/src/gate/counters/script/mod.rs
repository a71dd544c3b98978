//! What the functions of a script cost, as a profiler in its interpreter tells. Pure, except for the hooks, which are scripts.
//!
//! Under valgrind an interpreter shows its own functions only. Its hook knows those of the script, and the place from which each is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::Cost;
use crate::process::Interpreter;

/// Tells a hook where to write.
pub(super) const FOLDER: &str = "TCPROVE_PROFILE";
/// How the names of the files begin that a hook writes: when it begins, and in the end.
pub(super) const BEGUN: &str = "begun.";
pub(super) const WRITTEN: &str = "script.";

/// The script of the hook.
pub(super) fn hook(interpreter: Interpreter) -> &'static str {
    match interpreter {
        Interpreter::Python => include_str!("python.py"),
        Interpreter::Node => include_str!("node.js"),
    }
}

/// A function of a script. Its line is no part of it: another one above it moves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ScriptFunction {
    /// Its name.
    pub(crate) name: String,
    /// The name of its file; empty if that is the one that was started, which may have another name in the other version.
    pub(crate) file: String,
    /// Whether a part of the language or a package contains it.
    pub(crate) is_library: bool,
}

/// A function, called through those before it.
pub(crate) type Path = Vec<Arc<ScriptFunction>>;

/// The functions of a script in the places where they are called.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places {
    /// Microseconds of CPU time without what it calls in the script, and calls.
    pub(crate) costs: BTreeMap<Path, Cost>,
    /// File and line of each function, if it is in a file.
    pub(crate) at: BTreeMap<Arc<ScriptFunction>, String>,
}

impl Places {
    /// Adds those of another process.
    pub(super) fn add(&mut self, other: Self) {
        for (path, cost) in other.costs {
            let sum = self.costs.entry(path).or_default();
            *sum = [0, 1].map(|which| sum[which] + cost[which]);
        }
        self.at.extend(other.at);
    }

    /// The cost of one of so many operations.
    pub(super) fn per_operation(mut self, operations: f64) -> Self {
        for cost in self.costs.values_mut() {
            *cost = cost.map(|all| all / operations);
        }
        self
    }
}

/// Reads what a hook has written.
///
/// # Errors
/// A line is malformed.
pub(super) fn parse(text: &str) -> Result<Places, String> {
    let mut places = Places::default();
    let mut path: Path = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let columns: Vec<&str> = line.split('\t').collect();
        let read = || -> Option<(usize, Cost)> {
            let depth = columns.first()?.parse().ok()?;
            let nanos: f64 = columns.get(1)?.parse().ok()?;
            let calls: f64 = columns.get(2)?.parse().ok()?;
            Some((depth, [nanos / 1e3, calls]))
        };
        let (Some((depth, cost)), [_, _, _, kind, name, file, at]) = (read(), &columns[..]) else {
            return Err(format!("line {} is not understood", number + 1));
        };
        if depth > path.len() {
            return Err(format!("line {} has no function above it", number + 1));
        }
        path.truncate(depth);
        let function = Arc::new(ScriptFunction {
            name: (*name).to_owned(),
            file: (*file).to_owned(),
            is_library: *kind == "1",
        });
        if !at.is_empty() {
            places.at.insert(function.clone(), (*at).to_owned());
        }
        path.push(function);
        let sum = places.costs.entry(path.clone()).or_default();
        *sum = [0, 1].map(|which| sum[which] + cost[which]);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_places() {
        let text = "0\t3000\t0\t0\tserve\t\tserver.py:9\n1\t2000\t4\t1\tdumps\tjson\tjson:1\n0\t500\t1\t0\tserve\t\tserver.py:9\n";
        let places = parse(text).unwrap().per_operation(2.0);
        let costs: Vec<_> = places
            .costs
            .iter()
            .map(|(path, cost)| (path.iter().map(|one| one.name.as_str()).collect(), *cost))
            .collect::<Vec<(Vec<&str>, Cost)>>();
        let expected = [
            (vec!["serve"], [1.75, 0.5]),
            (vec!["serve", "dumps"], [1.0, 2.0]),
        ];
        assert_eq!(costs, expected);
        assert_eq!(places.at.len(), 2);
        let mut twice = places.clone();
        twice.add(places);
        assert_eq!(twice.costs.values().next(), Some(&[3.5, 1.0]));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert_eq!(parse("").unwrap(), Places::default());
        for text in [
            "0\t3000\t0\t0\tser",
            "1\t1\t1\t0\tx\t\t",
            "x\t1\t1\t0\tx\t\t",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
