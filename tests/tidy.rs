//! Tests the code style: layout rules, and the absences that ARCHITECTURE.md lists.

mod graph;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use graph::Graph;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The path (from the root) and the text of these Rust files and of all Rust files in these folders.
fn sources(places: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    while let Some(path) = places.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            places.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(found.len() > 3, "no sources were found");
    found
}

/// The code of a file without its tests.
fn code(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    &text[..tests.unwrap_or(text.len())]
}

const EVERYTHING: &[&str] = &[
    "server/src",
    "harness/src",
    "tests",
    "benches",
    "fuzz/fuzz_targets",
];

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

/// Each package with a manifest, and where its sources are.
const PACKAGES: &[(&str, &[&str])] = &[
    ("server", &["server/src", "server/tests"]),
    ("harness", &["harness/src", "tests"]),
    ("benches", &["benches"]),
    ("fuzz", &["fuzz/fuzz_targets"]),
];

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for (package, places) in PACKAGES {
        let text = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let words: BTreeSet<String> = sources(places)
            .iter()
            .flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .map(str::to_owned)
            .collect();
        let unused_here = dependencies(&manifest);
        let unused_here = unused_here
            .into_iter()
            .filter(|name| !words.contains(&name.replace('-', "_")));
        unused.extend(unused_here.map(|name| format!("{package}: {name}")));
    }
    assert!(unused.is_empty(), "unused dependencies: {unused:?}");
}

/// The names of all dependencies in a manifest, those for tests and for some targets included.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else {
            continue;
        };
        match key.as_str() {
            "dependencies" | "dev-dependencies" => names.extend(table.keys().cloned()),
            "target" => {
                let targets = table.values().filter_map(toml::Value::as_table);
                names.extend(targets.flat_map(dependencies));
            }
            _ => {}
        }
    }
    names
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

#[test]
fn files_are_short_and_say_what_they_are() {
    for (name, text) in sources(EVERYTHING) {
        assert!(
            text.lines().count() <= 450,
            "{name} has {} lines: could a concept move out?",
            text.lines().count()
        );
        assert!(
            text.starts_with("//!"),
            "{name} does not begin by saying what it is"
        );
    }
}

#[test]
fn functions_are_short() {
    for (name, text) in sources(&["server/src", "harness/src"]) {
        let mut begun: Option<(usize, String)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let starts = line
                .trim_start()
                .trim_start_matches("pub ")
                .trim_start_matches("async ")
                .starts_with("fn ");
            if starts && indent <= 4 {
                begun = Some((number, line.trim().to_owned()));
            } else if line.trim() == "}"
                && indent <= 4
                && let Some((start, function)) = begun.take()
            {
                assert!(
                    number - start <= 75,
                    "{name}:{}: {} lines: {function}",
                    start + 1,
                    number - start
                );
            }
        }
    }
}

#[test]
fn pure_modules_touch_no_socket_clock_or_process() {
    let pure = [
        "harness/src/talk",
        "harness/src/report",
        "harness/src/stats",
        "harness/src/gate/counters/judge.rs",
        "harness/src/gate/history",
        "harness/src/gate/counters/slope.rs",
        "harness/src/gate/power.rs",
        "harness/src/gate/rule.rs",
        "harness/src/fuzz/case",
        "harness/src/fuzz/material",
        "harness/src/fuzz/generate",
        "harness/src/fuzz/mutator",
        "harness/src/fuzz/minimize",
        "server/src/service",
    ];
    let impure = [
        "std::net",
        "tokio::",
        "std::process",
        "Instant::now",
        "SystemTime::now",
        "socket2",
    ];
    for (name, text) in sources(&pure) {
        for word in impure {
            assert!(!code(&text).contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn only_process_starts_processes() {
    for (name, text) in sources(&["harness/src"]) {
        let starts = code(&text).contains("Command::new");
        assert!(
            !starts || name.starts_with("harness/src/process/"),
            "{name} starts a process"
        );
    }
}

#[test]
fn unsafe_code_lives_in_one_place() {
    for (name, text) in sources(&["server/src", "harness/src"]) {
        let allowed = name.contains("/src/sys/");
        assert!(
            allowed || !code(&text).contains("unsafe {"),
            "{name} holds unsafe code"
        );
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore]"),
    ];
    for (name, text) in sources(EVERYTHING) {
        for word in words {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn every_check_and_fault_is_listed() {
    let listed = |folder: &str, constant: &str| {
        for (name, text) in sources(&[folder]) {
            if !text.contains(&format!("const {constant}:")) {
                continue;
            }
            let path = Path::new(&name);
            let module = path.file_stem().unwrap().to_str().unwrap();
            let list = root().join(path.parent().unwrap()).join("mod.rs");
            let list = std::fs::read_to_string(list).unwrap();
            assert!(
                list.contains(&format!("&{module}::{constant}")),
                "{name} is not in its folder's list"
            );
        }
    };
    listed("harness/src/check", "ENTRY");
    listed("server/src/fault", "FAULT");
}

/// A file that no module declares would not be compiled, and its tests would never run.
#[test]
fn every_file_of_tests_is_a_module() {
    for folder in ["tests", "server/tests"] {
        for (name, _) in sources(&[folder]) {
            let path = Path::new(&name);
            let module = path.file_stem().unwrap().to_str().unwrap();
            let parent = match path.parent().unwrap().to_str().unwrap() {
                _ if module == "main" || module == "mod" => continue,
                parent if parent == folder => format!("{folder}/main.rs"),
                parent => format!("{parent}.rs"),
            };
            let mut parent = root().join(parent);
            if !parent.exists() {
                parent = parent.with_extension("").join("mod.rs");
            }
            let declared = std::fs::read_to_string(&parent).unwrap();
            assert!(
                declared.contains(&format!("mod {module};\n")),
                "{name} is no module of {}",
                parent.display()
            );
        }
    }
}
