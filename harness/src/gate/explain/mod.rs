//! Where the difference between base and candidate comes from: its share in each function.
//!
//! Callgrind says what each function costs. What a library does for a function counts for that function, or else an additional
//! allocation would be `malloc`'s fault and an additional system call that of the C library (`fold`).

mod fold;
mod stacks;

use std::collections::HashMap;

use self::fold::folded;
use super::counters::Graph;
use super::metric::Metric;
use super::result::{Explained, FunctionShare, GateCell};
use super::side::Pair;

/// Functions that are named.
const NAMED: usize = 5;
/// A function with a smaller share of the difference is not named, in percent.
const SHARE_MIN_PCT: f64 = 1.0;

/// Explains the cells of the counted metrics that changed by more than half of their budget.
pub(super) fn explain(functions: &Pair<Graph>, cells: &[GateCell]) -> Vec<Explained> {
    let changed = |cell: &&GateCell| {
        let change = cell.comparison.estimate_pct.unwrap_or(0.0);
        change.abs() > cell.comparison.budget_pct / 2.0
    };
    let explained = cells.iter().filter(changed).filter_map(|cell| {
        let which = match cell.metric {
            Metric::Instructions | Metric::Allocations => 0,
            Metric::Syscalls => 1,
            _ => return None,
        };
        let graphs = functions.as_ref();
        let functions = shares(&graphs, which);
        (!functions.is_empty()).then(|| Explained {
            metric: cell.metric,
            stacks: stacks::stacks(&graphs, which),
            system_calls: Vec::new(),
            functions,
        })
    });
    explained.collect()
}

/// Names the system calls by which the number of system calls changed.
pub(super) fn name_calls(explained: &mut [Explained], calls: &Pair<Graph>) {
    let counted = |one: &&mut Explained| one.metric == Metric::Syscalls;
    if let Some(syscalls) = explained.iter_mut().find(counted) {
        syscalls.system_calls = shares(&calls.as_ref(), 0);
    }
}

/// How the names of programs begin that run other programs.
const INTERPRETERS: [&str; 8] = [
    "python", "node", "ruby", "perl", "php", "java", "lua", "beam.smp",
];

/// The program that runs the server, if it is an interpreter: the functions are its own, and not those of the server.
pub(super) fn interpreter(functions: &Pair<Graph>) -> Option<String> {
    let objects = functions
        .candidate
        .own
        .keys()
        .map(|function| function.object.as_str());
    let names = objects.filter_map(|object| object.rsplit('/').next());
    let is_one = |name: &&str| INTERPRETERS.iter().any(|known| name.starts_with(known));
    names.filter(is_one).min().map(str::to_owned)
}

/// The functions with the largest parts of the difference, the largest one first; at most [`NAMED`]. `which` is 0 for
/// instructions and 1 for system calls.
fn shares(graphs: &Pair<&Graph>, which: usize) -> Vec<FunctionShare> {
    let costs = |graph: &Graph| {
        let mut by_name: HashMap<String, f64> = HashMap::new();
        for (function, cost) in folded(graph, which) {
            *by_name.entry(function.name).or_default() += cost;
        }
        by_name
    };
    let (base, candidate) = (costs(graphs.base), costs(graphs.candidate));
    let total: f64 = candidate.values().sum::<f64>() - base.values().sum::<f64>();
    if total == 0.0 {
        return Vec::new();
    }
    let of = |costs: &HashMap<String, f64>, name: &str| costs.get(name).copied().unwrap_or(0.0);
    let names = candidate
        .keys()
        .chain(base.keys().filter(|name| !candidate.contains_key(*name)));
    let mut shares: Vec<FunctionShare> = names
        .map(|name| {
            let (base, candidate) = (of(&base, name), of(&candidate, name));
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
        let shares = shares(
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
            shares(
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
