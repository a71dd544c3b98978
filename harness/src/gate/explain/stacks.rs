//! The calls of both servers as one tree, for a flame graph.
//!
//! Callgrind knows what each function cost and what each call from one function to another cost, but not through which
//! callers it came there. As in gprof (Graham, Kessler and McKusick, gprof: a call graph execution profiler, 1982), what a function
//! calls is divided among its callers in proportion to what their calls cost.

use std::collections::{BTreeMap, HashMap};

use crate::gate::counters::{Function, Graph};
use crate::gate::result::Frame;
use crate::gate::side::Pair;

/// Maximum depth of the tree.
const DEPTH_MAX: usize = 48;
/// A frame with a smaller part of the whole is left out: it would be less than two pixels wide.
const PART_MIN: f64 = 0.002;

/// The calls of both, in which `base` and `candidate` are costs of an operation. `None` if there are none.
pub(super) fn stacks(graphs: &Pair<&Graph>, which: usize) -> Option<Frame> {
    joined_trees(&graphs.as_ref().map(|graph| Calls::of(graph, which).tree()))
}

/// Both trees as one. `None` if there is nothing in them.
pub(super) fn joined_trees(trees: &Pair<Node>) -> Option<Frame> {
    let whole = trees.base.cost.max(trees.candidate.cost);
    (whole > 0.0).then(|| {
        let both = [&trees.base, &trees.candidate].map(Some);
        without_start(joined("all", both[0], both[1], whole * PART_MIN))
    })
}

/// How the names of functions begin that come before `main`, or before that of a thread.
const STARTS: [&str; 5] = [
    "0x",
    "(below main)",
    "__libc_start",
    "start_thread",
    "clone",
];

/// Removes what every program starts with, and what does nothing itself.
fn without_start(mut frame: Frame) -> Frame {
    while let [only] = &mut frame.calls[..] {
        let is_start = STARTS.iter().any(|start| only.function.starts_with(start));
        let is_whole = only.candidate >= frame.candidate * 0.999 && only.base >= frame.base * 0.999;
        if !is_start || !is_whole {
            break;
        }
        frame.calls = std::mem::take(&mut only.calls);
    }
    frame
}

/// The calls of one server.
struct Calls<'g> {
    own: BTreeMap<&'g Function, f64>,
    /// What each function calls, with the cost of these calls.
    called: HashMap<&'g Function, Vec<(&'g Function, f64)>>,
    /// The cost of a function with all that it calls.
    whole: HashMap<&'g Function, f64>,
    /// The cost of the calls to a function.
    asked: HashMap<&'g Function, f64>,
}

/// A function with what it calls, on one server.
#[derive(Default)]
pub(super) struct Node {
    pub(super) cost: f64,
    pub(super) calls: BTreeMap<String, Node>,
}

impl<'g> Calls<'g> {
    fn of(graph: &'g Graph, which: usize) -> Self {
        let cost = |cost: &[f64; 2]| cost[which].max(0.0);
        let own: BTreeMap<&Function, f64> = graph
            .own
            .iter()
            .map(|(function, own)| (function, cost(own)))
            .collect();
        let mut whole: HashMap<&Function, f64> = own
            .iter()
            .map(|(function, own)| (*function, *own))
            .collect();
        let mut called: HashMap<&Function, Vec<(&Function, f64)>> = HashMap::new();
        let mut asked: HashMap<&Function, f64> = HashMap::new();
        // A function that calls itself is one frame.
        let calls = graph
            .calls
            .iter()
            .filter(|((caller, callee), _)| caller != callee);
        // In a fixed order, so that sums of floating-point numbers are the same each time.
        for ((caller, callee), of_calls) in calls.collect::<BTreeMap<_, _>>() {
            called
                .entry(caller)
                .or_default()
                .push((callee, cost(of_calls)));
            *whole.entry(caller).or_default() += cost(of_calls);
            *asked.entry(callee).or_default() += cost(of_calls);
        }
        Self {
            own,
            called,
            whole,
            asked,
        }
    }

    /// All functions below those that nobody calls, or that do more than they are called for.
    fn tree(&self) -> Node {
        let all: f64 = self.own.values().sum();
        let mut root = Node::default();
        for function in self.own.keys() {
            let whole = self.whole.get(function).copied().unwrap_or(0.0);
            let asked = self.asked.get(function).copied().unwrap_or(0.0);
            let rest = whole - asked;
            if rest > all * PART_MIN / 10.0 {
                self.add(&mut root, function, rest, all, &mut Vec::new());
            }
        }
        root.cost = root.calls.values().map(|node| node.cost).sum();
        root
    }

    /// Adds a function that costs `cost` in this place, with its part of what it calls.
    fn add(
        &self,
        above: &mut Node,
        function: &'g Function,
        cost: f64,
        all: f64,
        path: &mut Vec<&'g Function>,
    ) {
        let node = above.calls.entry(name(function)).or_default();
        node.cost += cost;
        let whole = self.whole.get(function).copied().unwrap_or(0.0);
        if whole <= 0.0 || path.len() >= DEPTH_MAX {
            return;
        }
        path.push(function);
        for (callee, of_calls) in self.called.get(function).into_iter().flatten() {
            let part = of_calls * cost / whole;
            // A circle ends here: what it costs stays with the function that closes it.
            if part > all * PART_MIN / 10.0 && !path.contains(callee) {
                self.add(node, callee, part, all, path);
            }
        }
        path.pop();
    }
}

/// The name of a function, or else that of its library.
fn name(function: &Function) -> String {
    let object = function.object.rsplit('/').next().unwrap_or_default();
    match function.name.is_empty() {
        true => object.to_owned(),
        false => function.name.clone(),
    }
}

/// The frames of both; those of functions that only one calls have no cost in the other.
fn joined(name: &str, base: Option<&Node>, candidate: Option<&Node>, least: f64) -> Frame {
    let cost = |node: Option<&Node>| node.map_or(0.0, |node| node.cost);
    let both = [base, candidate];
    let names = both.iter().flatten().flat_map(|node| node.calls.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let below = |node: Option<&'_ Node>, name: &str| {
        node.and_then(|node| node.calls.get(name)).map(cost_of)
    };
    let is_seen = |name: &&String| {
        both.iter()
            .any(|node| below(*node, name).is_some_and(|cost| cost >= least))
    };
    let calls = names.into_iter().filter(is_seen).map(|name| {
        let [base, candidate] = both.map(|node| node.and_then(|node| node.calls.get(name)));
        joined(name, base, candidate, least)
    });
    Frame {
        function: name.to_owned(),
        base: cost(base),
        candidate: cost(candidate),
        calls: calls.collect(),
    }
}

fn cost_of(node: &Node) -> f64 {
    node.cost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function {
        Function {
            object: "/srv/server".into(),
            name: name.into(),
        }
    }

    fn graph(own: &[(&str, f64)], calls: &[(&str, &str, f64)]) -> Graph {
        Graph {
            own: own
                .iter()
                .map(|(name, cost)| (function(name), [*cost, 0.0]))
                .collect(),
            calls: calls
                .iter()
                .map(|(one, other, cost)| ((function(one), function(other)), [*cost, 0.0]))
                .collect(),
        }
    }

    fn find<'f>(frame: &'f Frame, path: &[&str]) -> &'f Frame {
        path.iter().fold(frame, |frame, name| {
            frame
                .calls
                .iter()
                .find(|below| below.function == *name)
                .unwrap_or_else(|| panic!("{name} in {frame:?}"))
        })
    }

    #[test]
    fn shared_functions_are_divided_among_their_callers_and_new_ones_have_no_base() {
        let base = graph(
            &[("main", 10.0), ("read", 30.0), ("copy", 60.0)],
            &[
                ("main", "read", 70.0),
                ("main", "copy", 20.0),
                ("read", "copy", 40.0),
            ],
        );
        let candidate = graph(
            &[
                ("main", 10.0),
                ("read", 30.0),
                ("copy", 60.0),
                ("log", 50.0),
            ],
            &[
                ("main", "read", 70.0),
                ("main", "copy", 20.0),
                ("read", "copy", 40.0),
                ("main", "log", 50.0),
            ],
        );
        let stacks = stacks(
            &Pair {
                base: &base,
                candidate: &candidate,
            },
            0,
        )
        .unwrap();
        assert_eq!((stacks.base, stacks.candidate), (100.0, 150.0));
        let copy = find(&stacks, &["main", "read", "copy"]);
        assert!(
            (copy.base - 40.0).abs() < 1e-9 && (copy.candidate - 40.0).abs() < 1e-9,
            "{copy:?}"
        );
        assert!((find(&stacks, &["main", "copy"]).base - 20.0).abs() < 1e-9);
        let log = find(&stacks, &["main", "log"]);
        assert_eq!((log.base, log.candidate), (0.0, 50.0));
    }

    #[test]
    fn what_comes_before_main_is_left_out() {
        let started = graph(
            &[
                ("0x1ab70", 0.0),
                ("(below main)", 0.0),
                ("main", 4.0),
                ("serve", 6.0),
            ],
            &[
                ("0x1ab70", "(below main)", 10.0),
                ("(below main)", "main", 10.0),
                ("main", "serve", 6.0),
            ],
        );
        let stacks = stacks(&Pair::both(&started), 0).unwrap();
        assert_eq!((stacks.base, stacks.calls.len()), (10.0, 1));
        assert_eq!(find(&stacks, &["main", "serve"]).candidate, 6.0);
    }

    #[test]
    fn circles_end_and_nothing_is_counted_twice() {
        let circle = graph(
            &[("main", 10.0), ("one", 40.0), ("other", 50.0)],
            &[
                ("main", "one", 90.0),
                ("one", "other", 70.0),
                ("other", "one", 20.0),
                ("one", "one", 900.0),
            ],
        );
        let stacks = stacks(&Pair::both(&circle), 0).unwrap();
        assert!(stacks.base <= 100.0 + 1e-9, "{}", stacks.base);
        fn below(frame: &Frame) {
            let sum: f64 = frame.calls.iter().map(|call| call.base).sum();
            assert!(sum <= frame.base + 1e-9, "{frame:?}");
            frame.calls.iter().for_each(below);
        }
        below(&stacks);
        assert_eq!(super::stacks(&Pair::both(&Graph::default()), 0), None);
    }
}
