//! Which module may use which.

use std::collections::BTreeMap;

use super::graph::Graph;
use super::sources;

/// The architecture: every module of the harness and the modules it may use, from the leaves up. Test code may use every
/// module.
const MAY_USE: &[(&str, &[&str])] = &[
    ("binary", &[]),
    ("data", &[]),
    ("event", &[]),
    ("stats", &[]),
    ("sys", &[]),
    ("text", &[]),
    ("transport", &[]),
    ("talk", &["text"]),
    ("process", &["binary", "data", "sys", "text", "transport"]),
    (
        "session",
        &["data", "process", "sys", "talk", "text", "transport"],
    ),
    (
        "subject",
        &["data", "process", "session", "talk", "text", "transport"],
    ),
    (
        "file",
        &["data", "process", "subject", "talk", "text", "transport"],
    ),
    (
        "detect",
        &[
            "file",
            "process",
            "session",
            "subject",
            "talk",
            "text",
            "transport",
        ],
    ),
    ("check", BELOW_THE_FEATURES),
    ("fuzz", BELOW_THE_FEATURES),
    ("load", BELOW_THE_FEATURES),
    ("bench", BELOW_BENCH_AND_GATE),
    ("gate", BELOW_BENCH_AND_GATE),
    (
        "report",
        &[
            "bench", "check", "data", "fuzz", "gate", "load", "stats", "subject", "text",
        ],
    ),
    (
        "prove",
        &[
            "check",
            "data",
            "file",
            "fuzz",
            "load",
            "process",
            "report",
            "session",
            "subject",
            "sys",
            "talk",
            "text",
            "transport",
        ],
    ),
    ("before_main", &["process"]),
    (
        "merge",
        &[
            "bench", "check", "data", "fuzz", "gate", "load", "report", "text",
        ],
    ),
    (
        "cli",
        &[
            "bench",
            "check",
            "data",
            "detect",
            "event",
            "file",
            "fuzz",
            "gate",
            "load",
            "merge",
            "process",
            "report",
            "session",
            "stats",
            "subject",
            "sys",
            "talk",
            "text",
            "transport",
        ],
    ),
];

/// The modules that every feature may use. Not `file`: features do not depend on the file format.
const BELOW_THE_FEATURES: &[&str] = &[
    "binary",
    "data",
    "event",
    "process",
    "session",
    "stats",
    "subject",
    "sys",
    "talk",
    "text",
    "transport",
];

/// The modules that `bench` and `gate` may use: also `load`, which they run.
const BELOW_BENCH_AND_GATE: &[&str] = &[
    "data",
    "event",
    "load",
    "process",
    "session",
    "stats",
    "subject",
    "sys",
    "talk",
    "text",
    "transport",
];

#[test]
fn modules_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for edge in Graph::of(&sources(&["harness/src"])).edges() {
        let (from, to) = (edge.from[0].as_str(), edge.to[0].as_str());
        if from == to || from == "main" {
            continue;
        }
        match table.get(from) {
            None => wrong.push(format!("{from} is not in the table")),
            Some(allowed) if !allowed.contains(&to) => {
                wrong.push(format!("{} uses {to}", edge.file));
            }
            Some(_) => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "not allowed by the table:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_two_modules_need_each_other() {
    let cycles: Vec<String> = ["harness/src", "server/src"]
        .iter()
        .flat_map(|root| {
            let cycles = Graph::of(&sources(&[root])).cycles();
            cycles
                .into_iter()
                .map(move |cycle| format!("{root}: {cycle}"))
        })
        .collect();
    assert!(cycles.is_empty(), "cycles:\n{}", cycles.join("\n"));
}

#[test]
fn the_table_itself_has_no_cycle() {
    for (place, (module, allowed)) in MAY_USE.iter().enumerate() {
        for used in *allowed {
            let below = MAY_USE[..place].iter().any(|(name, _)| name == used);
            assert!(below, "{module} may use {used}, which is not below it");
        }
    }
}

/// A planted upward dependency and a planted cycle are found in every spelling of `use`.
#[test]
fn planted_dependencies_are_found() {
    let source = |name: &str, text: &str| (format!("harness/src/{name}"), text.to_owned());
    let graph = Graph::of(&[
        source("lib.rs", "pub mod talk; pub mod fuzz;"),
        source("talk/mod.rs", "pub mod a;\npub mod b;\npub use a::Thing;"),
        source("talk/a.rs", "use super::b::Other;\npub struct Thing;"),
        source(
            "talk/b.rs",
            "fn f() { let _ = crate::talk::Thing; crate::fuzz::go() }\npub struct Other;",
        ),
        source("fuzz/mod.rs", "use crate::{\n    talk::{self, Thing},\n};"),
    ]);
    let upward = graph.edges().iter().any(|edge| {
        edge.file.ends_with("talk/b.rs") && edge.from[0] == "talk" && edge.to[0] == "fuzz"
    });
    assert!(upward, "an inline path upwards");
    let cycles = graph.cycles();
    assert!(
        cycles
            .iter()
            .any(|cycle| cycle.contains("fuzz") && cycle.contains("talk"))
    );
    assert!(
        cycles
            .iter()
            .any(|cycle| cycle.contains("talk/a") && cycle.contains("talk/b")),
        "through a re-export: {cycles:?}"
    );
}
