//! In which functions of a script the CPU time of an operation changed. Pure.

use std::collections::{BTreeMap, HashMap};

use super::shares;
use super::stacks::{Node, joined_trees};
use crate::gate::counters::{Path, Places, ScriptFunction};
use crate::gate::metric::Metric;
use crate::gate::result::{CostSource, Explained, Frame, FunctionShare};
use crate::gate::side::Pair;
use crate::process::Interpreter;

/// A function that spends a smaller share of the time of an operation itself, and is not called for it, only waits for what it calls.
const WORKS_PART: f64 = 0.005;
/// As many calls of an operation show that a function is called for it.
const CALLED: f64 = 0.05;

/// Explains the CPU time of an operation. An error has what an operation costs in both, if that is not a change in this direction.
pub(in crate::gate) fn explain(
    interpreter: Interpreter,
    places: &Pair<Places>,
    is_worse: bool,
) -> Result<Explained, Pair<f64>> {
    let costs = places.as_ref().map(|side| folded(side, 0));
    let total = costs.as_ref().map(|side| side.values().sum::<f64>());
    if (total.candidate > total.base) != is_worse || total.candidate == total.base {
        return Err(total);
    }
    let names = Names(places);
    let named = |shares: Vec<FunctionShare<Key>>| -> Vec<FunctionShare> {
        shares.into_iter().map(|share| names.share(share)).collect()
    };
    let (by, calls) = match interpreter {
        Interpreter::Python => (CostSource::Calls, named(changed_calls(places))),
        Interpreter::Node => (CostSource::Samples, Vec::new()),
    };
    Ok(Explained {
        metric: Metric::ServerCpu,
        by,
        functions: named(shares(&costs)),
        system_calls: Vec::new(),
        calls,
        stacks: names.stacks(),
    })
}

/// A smaller change of the number of calls is not explained.
const CALLS_PART: f64 = 0.01;

/// What tells functions of both versions apart: name and file.
type Key = (String, String);

fn key(function: &ScriptFunction) -> Key {
    (function.name.clone(), function.file.clone())
}

/// The cost of each function of the program, with what packages and the language do for it.
///
/// That counts for the nearest function of the program that works for the operation. One that only waits, such as that which
/// runs an event loop, is not the reason for what happens in the loop.
fn folded(places: &Places, which: usize) -> HashMap<Key, f64> {
    let all: f64 = places.costs.values().map(|cost| cost[which]).sum();
    let works = |path: &[_]| {
        let cost = places.costs.get(path).copied().unwrap_or_default();
        cost[0] >= all * WORKS_PART || cost[1] >= CALLED
    };
    let mut folded = HashMap::new();
    for (path, cost) in &places.costs {
        let places = (1..=path.len()).rev().map(|length| &path[..length]);
        let mut programs = places.filter(|place| !place[place.len() - 1].is_library);
        let nearest = programs.next().filter(|place| works(place));
        let Some(function) = nearest.unwrap_or(path).last() else {
            continue;
        };
        *folded.entry(key(function)).or_default() += cost[which];
    }
    folded
}

/// In which functions the number of calls changed; none if their sum hardly did, of which shares would say nothing.
fn changed_calls(places: &Pair<Places>) -> Vec<FunctionShare<Key>> {
    let calls = places.as_ref().map(|side| {
        let mut calls: HashMap<Key, f64> = HashMap::new();
        for (path, cost) in &side.costs {
            if let Some(function) = path.last() {
                *calls.entry(key(function)).or_default() += cost[1];
            }
        }
        calls
    });
    let all = calls.as_ref().map(|side| side.values().sum::<f64>());
    if (all.candidate - all.base).abs() < all.base * CALLS_PART {
        return Vec::new();
    }
    shares(&calls)
}

/// What the functions of both are called, with the place in the candidate, if it has them.
struct Names<'p>(&'p Pair<Places>);

impl Names<'_> {
    fn share(&self, share: FunctionShare<Key>) -> FunctionShare {
        FunctionShare {
            function: self.of(&share.function),
            base: share.base,
            candidate: share.candidate,
            share_pct: share.share_pct,
        }
    }

    fn of(&self, (name, file): &Key) -> String {
        let at = [&self.0.candidate, &self.0.base]
            .into_iter()
            .find_map(|side| {
                let mut all = side.at.iter();
                let found =
                    all.find(|(function, _)| function.name == *name && function.file == *file);
                found.map(|(_, at)| at)
            });
        match at {
            Some(at) => format!("{name} ({at})"),
            None => name.clone(),
        }
    }

    /// The calls of both.
    fn stacks(&self) -> Option<Frame> {
        let mut known: BTreeMap<Key, String> = BTreeMap::new();
        let trees = self.0.as_ref().map(|side| {
            let mut root = Node::default();
            for (path, cost) in &side.costs {
                self.add(&mut root, path, cost[0].max(0.0), &mut known);
            }
            root
        });
        joined_trees(&trees)
    }

    fn add(&self, root: &mut Node, path: &Path, cost: f64, known: &mut BTreeMap<Key, String>) {
        let mut node = root;
        node.cost += cost;
        for function in path {
            let key = key(function);
            let name = known.entry(key).or_insert_with_key(|key| self.of(key));
            node = node.calls.entry(name.clone()).or_default();
            node.cost += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn places(lines: &[(&[&str], f64, f64)]) -> Places {
        let function = |name: &&str| {
            Arc::new(ScriptFunction {
                name: name.trim_start_matches("lib.").to_owned(),
                file: String::new(),
                is_library: name.starts_with("lib."),
            })
        };
        let cost = |(path, own, calls): &(&[&str], f64, f64)| {
            (path.iter().map(function).collect(), [*own, *calls])
        };
        Places {
            costs: lines.iter().map(cost).collect(),
            at: BTreeMap::from([(function(&"handle"), "server.py:7".to_owned())]),
        }
    }

    /// An event loop calls a handler, which calls a package.
    fn server(loop_: f64, handle: f64, dumps: f64) -> Places {
        places(&[
            (&["main"], 0.0, 0.0),
            (&["main", "lib.run"], loop_, 0.0),
            (&["main", "lib.run", "handle"], handle, 1.0),
            (&["main", "lib.run", "handle", "lib.dumps"], dumps, 1.0),
        ])
    }

    fn first(base: Places, candidate: Places) -> (String, f64) {
        let both = Pair { base, candidate };
        let explained = explain(Interpreter::Python, &both, true).unwrap();
        let first = &explained.functions[0];
        (first.function.clone(), first.share_pct.round())
    }

    #[test]
    fn what_a_package_does_counts_for_who_works_and_not_for_who_waits() {
        let base = || server(10.0, 5.0, 5.0);
        let handle = ("handle (server.py:7)".to_owned(), 100.0);
        assert_eq!(first(base(), server(10.0, 9.0, 5.0)), handle);
        assert_eq!(first(base(), server(10.0, 5.0, 9.0)), handle);
        assert_eq!(
            first(base(), server(14.0, 5.0, 5.0)),
            ("run".to_owned(), 100.0)
        );
    }

    #[test]
    fn calls_are_counted_and_the_tree_has_all_places() {
        let both = Pair {
            base: server(10.0, 5.0, 5.0),
            candidate: places(&[(&["handle"], 30.0, 3.0)]),
        };
        let explained = explain(Interpreter::Python, &both, true).unwrap();
        let calls: Vec<_> = explained
            .calls
            .iter()
            .map(|one| (one.base, one.candidate))
            .collect();
        assert_eq!(calls[0], (1.0, 3.0));
        let root = explained.stacks.unwrap();
        assert_eq!((root.base, root.candidate), (20.0, 30.0));
        let names: Vec<_> = root.calls.iter().map(|one| one.function.as_str()).collect();
        assert_eq!(names, ["handle (server.py:7)", "main"]);
        let node = explain(Interpreter::Node, &both, true).unwrap();
        assert!(node.calls.is_empty());
    }

    #[test]
    fn a_profile_that_shows_no_such_change_explains_nothing() {
        let both = Pair::both(server(10.0, 5.0, 5.0));
        assert_eq!(
            explain(Interpreter::Node, &both, true),
            Err(Pair::both(20.0))
        );
        let cheaper = Pair {
            candidate: server(1.0, 5.0, 5.0),
            ..both
        };
        assert!(explain(Interpreter::Node, &cheaper, true).is_err());
        assert!(explain(Interpreter::Node, &cheaper, false).is_ok());
    }
}
