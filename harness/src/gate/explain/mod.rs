//! Where the difference between base and candidate comes from: its share in each function.
//!
//! Callgrind says what each function costs. What a library does for a function counts for that function, or else an additional
//! allocation would be `malloc`'s fault and an additional system call that of the C library (`fold`).

mod fold;
mod script;
mod stacks;

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;

use self::fold::folded;
pub(super) use self::script::explain as explain_script;
use super::counters::Graph;
use super::metric::Metric;
use super::result::{CostSource, Explained, FunctionShare, GateCell};
use super::side::Pair;
use crate::process::{is_interpreter, program_name};

/// Functions that are named.
const NAMED: usize = 5;
/// A function with a smaller share of the difference is not named, in percent.
const SHARE_MIN_PCT: f64 = 1.0;

/// Explains the cells of the counted metrics that changed by more than half of their budget.
pub(super) fn explain(functions: &Pair<Graph>, cells: &[GateCell]) -> Vec<Explained> {
    let changed = cells.iter().filter(|cell| has_changed(cell));
    let explained = changed.filter_map(|cell| {
        let which = match cell.metric {
            Metric::Instructions | Metric::Allocations => 0,
            Metric::Syscalls => 1,
            _ => return None,
        };
        let graphs = functions.as_ref();
        let functions = shares_of(&graphs, which);
        (!functions.is_empty()).then(|| Explained {
            metric: cell.metric,
            by: CostSource::Counted,
            stacks: stacks::stacks(&graphs, which),
            system_calls: Vec::new(),
            calls: Vec::new(),
            functions,
        })
    });
    explained.collect()
}

/// Whether a metric changed by more than half of its budget.
pub(super) fn has_changed(cell: &GateCell) -> bool {
    let change = cell.comparison.estimate_pct.unwrap_or(0.0);
    change.abs() > cell.comparison.budget_pct / 2.0
}

/// Names the system calls by which the number of system calls changed.
pub(super) fn name_calls(explained: &mut [Explained], calls: &Pair<Graph>) {
    let counted = |one: &&mut Explained| one.metric == Metric::Syscalls;
    if let Some(syscalls) = explained.iter_mut().find(counted) {
        syscalls.system_calls = shares_of(&calls.as_ref(), 0);
    }
}

/// The program that runs the server, if it is an interpreter: the functions are its own, and not those of the server.
pub(super) fn interpreter(functions: &Pair<Graph>) -> Option<String> {
    let objects = functions
        .candidate
        .own
        .keys()
        .map(|function| function.object.as_str());
    let programs = objects
        .map(Path::new)
        .filter(|object| is_interpreter(object));
    programs.map(program_name).min().map(str::to_owned)
}

/// The functions of these graphs with the largest parts of the difference. `which` is 0 for instructions and 1 for system
/// calls.
fn shares_of(graphs: &Pair<&Graph>, which: usize) -> Vec<FunctionShare> {
    let costs = graphs.as_ref().map(|graph| {
        let mut by_name: HashMap<String, f64> = HashMap::new();
        for (function, cost) in folded(graph, which) {
            *by_name.entry(function.name).or_default() += cost;
        }
        by_name
    });
    shares(&costs)
}

/// The functions with the largest parts of the difference, the largest one first; at most [`NAMED`].
fn shares<K: Clone + Eq + Hash + Ord>(costs: &Pair<HashMap<K, f64>>) -> Vec<FunctionShare<K>> {
    let (base, candidate) = (&costs.base, &costs.candidate);
    let total: f64 = candidate.values().sum::<f64>() - base.values().sum::<f64>();
    if total == 0.0 {
        return Vec::new();
    }
    let of = |costs: &HashMap<K, f64>, name: &K| costs.get(name).copied().unwrap_or(0.0);
    let names = candidate
        .keys()
        .chain(base.keys().filter(|name| !candidate.contains_key(*name)));
    let mut shares: Vec<FunctionShare<K>> = names
        .map(|name| {
            let (base, candidate) = (of(base, name), of(candidate, name));
            FunctionShare {
                function: name.clone(),
                base,
                candidate,
                share_pct: (candidate - base) / total * 100.0,
            }
        })
        .filter(|share| share.share_pct.abs() >= SHARE_MIN_PCT)
        .collect();
    shares.sort_by(|one, other| {
        let by_share = other.share_pct.total_cmp(&one.share_pct);
        by_share.then_with(|| one.function.cmp(&other.function))
    });
    shares.truncate(NAMED);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::counters::Function;

    fn graph(own: &[(&str, f64)]) -> Graph {
        let function = |name: &str| Function {
            object: "/bin/server".into(),
            name: name.into(),
        };
        let cost = |(name, cost): &(&str, f64)| (function(name), [*cost, 0.0]);
        Graph {
            own: own.iter().map(cost).collect(),
            ..Graph::default()
        }
    }

    #[test]
    fn the_function_that_became_slower_is_first() {
        let base = graph(&[("parse", 100.0), ("reply", 50.0), ("gone", 5.0)]);
        let candidate = graph(&[("parse", 190.0), ("reply", 60.0), ("new", 15.0)]);
        let shares = shares_of(
            &Pair {
                base: &base,
                candidate: &candidate,
            },
            0,
        );
        let told = |share: &FunctionShare| (share.function.clone(), share.share_pct.round());
        let told: Vec<_> = shares.iter().map(told).collect();
        let expected = [
            ("parse", 82.0),
            ("new", 14.0),
            ("reply", 9.0),
            ("gone", -5.0),
        ];
        assert_eq!(told, expected.map(|(name, share)| (name.to_owned(), share)));
    }

    #[test]
    fn no_difference_has_no_shares() {
        let same = graph(&[("parse", 100.0)]);
        assert_eq!(
            shares_of(
                &Pair {
                    base: &same,
                    candidate: &same
                },
                0
            ),
            []
        );
    }

    #[test]
    fn an_interpreter_is_told_from_a_server() {
        let of = |object: &str| Graph {
            own: HashMap::from([(
                Function {
                    object: object.into(),
                    name: "main".into(),
                },
                [1.0, 0.0],
            )]),
            ..Graph::default()
        };
        let told = |object: &str| interpreter(&Pair::both(of(object)));
        assert_eq!(told("/usr/bin/python3.11").as_deref(), Some("python3.11"));
        assert_eq!(told("/srv/server"), None);
    }
}
