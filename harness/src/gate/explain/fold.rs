//! What libraries and the runtime do counts for the functions of the program that called them.

use std::collections::{BTreeMap, HashMap};

use crate::gate::counters::{Function, Graph};

/// Maximum number of calls between a function of the program and what works for it.
const DEPTH_MAX: usize = 64;
/// The rest of a function's cost that is no longer followed to its callers.
const NEGLIGIBLE: f64 = 1e-6;
/// How the names of Rust's standard library begin, whose functions are part of the program.
const RUST_STD: [&str; 11] = [
    "core::", "alloc::", "std::", "<core::", "<alloc::", "<std::", "<&", "<[", "<T as ", "<I as ",
    "<F as ",
];
/// How the names of functions begin that a compiler adds.
const ADDED: [&str; 5] = ["__rust", "__rdl", "_rdl", "rust_", "__x86.get_pc_thunk"];

/// Whether a function works for others: it is in a shared library, or belongs to the runtime of its language.
fn is_library(function: &Function) -> bool {
    let name = function.name.as_str();
    let is_shared = function.object.contains(".so") || function.object.is_empty();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    is_shared || name.is_empty() || starts(&RUST_STD) || starts(&ADDED)
}

/// The cost of each function of the program, with what libraries did for it. A library function without such a caller keeps its
/// cost: the start of a thread, for example.
///
/// Each library function passes its cost on to its callers, in proportion to what their calls cost, again and again.
pub(super) fn folded(graph: &Graph, which: usize) -> HashMap<Function, f64> {
    let mut callers: HashMap<&Function, Vec<(&Function, f64)>> = HashMap::new();
    for ((caller, called), cost) in &graph.calls {
        if caller != called && cost[which] > 0.0 {
            callers
                .entry(called)
                .or_default()
                .push((caller, cost[which]));
        }
    }
    // In a fixed order, so that sums of floating-point numbers are the same each time.
    for callers in callers.values_mut() {
        callers.sort_by(|one, other| one.0.cmp(other.0));
    }
    let mut own: Vec<_> = graph.own.iter().collect();
    own.sort_by(|one, other| one.0.cmp(other.0));
    let mut folded = HashMap::new();
    for (function, cost) in own {
        follow(&callers, function, cost[which], &mut folded);
    }
    folded
}

/// Passes the cost of a function on until it is at functions of the program.
fn follow<'g>(
    callers: &HashMap<&'g Function, Vec<(&'g Function, f64)>>,
    function: &'g Function,
    cost: f64,
    folded: &mut HashMap<Function, f64>,
) {
    let mut waiting = BTreeMap::from([(function, cost)]);
    for depth in 0..=DEPTH_MAX {
        let mut next: BTreeMap<&Function, f64> = BTreeMap::new();
        for (function, part) in waiting {
            let callers = callers.get(function).filter(|_| is_library(function));
            let goes_on = depth < DEPTH_MAX && part.abs() > cost.abs() * NEGLIGIBLE;
            let Some(callers) = callers.filter(|_| goes_on) else {
                *folded.entry(function.clone()).or_default() += part;
                continue;
            };
            let all: f64 = callers.iter().map(|(_, cost)| cost).sum();
            for (caller, weight) in callers {
                *next.entry(caller).or_default() += part * weight / all;
            }
        }
        waiting = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Function {
        Function {
            object: "/srv/server".into(),
            name: name.into(),
        }
    }

    fn libc(name: &str) -> Function {
        Function {
            object: "/usr/lib/libc.so.6".into(),
            name: name.into(),
        }
    }

    #[test]
    fn what_a_library_does_counts_for_its_callers() {
        let (serve, log) = (program("serve"), program("log"));
        let alloc = program("alloc::raw_vec::finish_grow");
        let (malloc, int_malloc) = (libc("malloc"), libc("_int_malloc"));
        let graph = Graph {
            own: HashMap::from([
                (serve.clone(), [10.0, 0.0]),
                (log.clone(), [1.0, 0.0]),
                (alloc.clone(), [4.0, 0.0]),
                (malloc.clone(), [20.0, 0.0]),
                (int_malloc.clone(), [80.0, 0.0]),
            ]),
            calls: HashMap::from([
                ((serve.clone(), alloc.clone()), [79.0, 0.0]),
                ((alloc, malloc.clone()), [75.0, 0.0]),
                ((log.clone(), malloc.clone()), [25.0, 0.0]),
                ((malloc, int_malloc), [80.0, 0.0]),
            ]),
        };
        let folded = folded(&graph, 0);
        assert_eq!(folded.len(), 2);
        assert!((folded[&serve] - 89.0).abs() < 1e-9, "{folded:?}");
        assert!((folded[&log] - 26.0).abs() < 1e-9, "{folded:?}");
    }

    #[test]
    fn a_circle_in_a_library_comes_to_an_end() {
        let (serve, one, other) = (program("serve"), libc("one"), libc("other"));
        let graph = Graph {
            own: HashMap::from([(one.clone(), [8.0, 0.0]), (other.clone(), [4.0, 0.0])]),
            calls: HashMap::from([
                ((serve.clone(), one.clone()), [12.0, 0.0]),
                ((one.clone(), other.clone()), [12.0, 0.0]),
                ((other, one), [12.0, 0.0]),
            ]),
        };
        let folded = folded(&graph, 0);
        let all: f64 = folded.values().sum();
        assert!(
            (all - 12.0).abs() < 1e-9 && folded[&serve] > 11.9,
            "{folded:?}"
        );
    }

    #[test]
    fn the_start_of_a_thread_keeps_its_cost() {
        let graph = Graph {
            own: HashMap::from([(libc("clone"), [7.0, 1.0])]),
            ..Graph::default()
        };
        assert_eq!(folded(&graph, 1), HashMap::from([(libc("clone"), 1.0)]));
    }
}
