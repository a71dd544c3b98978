//! The style that can be tested: what ARCHITECTURE.md says is nowhere, is nowhere.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// These Rust files, and every one below these folders, with its text and its path from the root.
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
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

const EVERYTHING: &[&str] = &[
    "server/src",
    "harness/src",
    "tests",
    "benches",
    "fuzz/fuzz_targets",
];

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
        // The run id and the environment are read where a report begins.
        if name.ends_with("report/mod.rs") || name.ends_with("report/environment.rs") {
            continue;
        }
        for word in impure {
            assert!(!code(&text).contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn only_the_target_starts_processes() {
    for (name, text) in sources(&["harness/src"]) {
        let starts = code(&text).contains("Command::new");
        assert!(
            !starts || name.starts_with("harness/src/target"),
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

/// A file that no module declares is not compiled, and its tests never run.
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

#[test]
fn the_readme_names_every_check() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for check in tcprove::check::all() {
        assert!(
            readme.contains(&format!("`{}`", check.id)),
            "{} is not in README.md",
            check.id
        );
    }
}
