//! Each source of coverage guides a campaign to a bug that the replies do not show, says why it cannot, and does not change
//! the server.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Fuzzed, fuzz};
use crate::support::skip::{is_slow, is_thorough, may_lack, needs};
use crate::support::{Bench, data, python};

/// Runs a campaign with this feedback against a server.
fn campaign(bench: &Bench, feedback: &str, more: &[&str], server: &[&str]) -> Fuzzed {
    let first = ["--talk", "line", "--jobs", "1", "--feedback", feedback];
    fuzz(
        bench,
        &[&first, more, &["--"], server, &["{port}"]].concat(),
    )
}

/// The source is chosen unasked, and the bug behind a login and five exact lines is found.
fn finds(source: &str, server: &[&str]) {
    finds_by("auto", source, server);
}

/// With this feedback, the source is used, and the bug is found.
fn finds_by(feedback: &str, source: &str, server: &[&str]) {
    let bench = Bench::new();
    let more = ["--duration", "100s", "--stop-on-first", "--seed", "1"];
    let fuzzed = campaign(&bench, feedback, &more, server);
    let told = || format!("{source}, {server:?}: {}", fuzzed.ended.all());
    assert_eq!(fuzzed.ended.code, Some(1), "{}", told());
    let chosen = fuzzed.report["coverage"]["feedback"].as_str().unwrap();
    assert!(chosen.split('+').any(|one| one == source), "{}", told());
    let found = |kind| fuzzed.findings().iter().any(|one| one["kind"] == kind);
    assert!(found("crash"), "{}", told());
}

/// A short campaign sees something, and finds nothing.
fn sees(source: &str, server: &[&str]) {
    let bench = Bench::new();
    let fuzzed = campaign(&bench, source, &["--cases", "200"], server);
    let coverage = &fuzzed.report["coverage"];
    let told = || format!("{source}, {server:?}: {}", fuzzed.ended.all());
    assert_eq!(fuzzed.ended.code, Some(0), "{}", told());
    let of_source = |one: &&serde_json::Value| one["source"] == source;
    let sources = coverage["sources"].as_array().unwrap();
    let seen = sources.iter().find(of_source);
    let reached = seen.unwrap_or_else(|| panic!("{}", told()))["reached"].as_u64();
    assert!(reached.unwrap() > 3, "{}", told());
    assert!(fuzzed.ended.stderr.contains("feedback: "), "{}", told());
}

/// The source is not possible, for this reason.
fn cannot(feedback: &str, reason: &str, server: &[&str]) {
    let bench = Bench::new();
    let asked = campaign(&bench, feedback, &["--duration", "2s"], server);
    assert_eq!(asked.ended.code, Some(3), "{}", asked.ended.all());
    assert!(asked.ended.all().contains(reason), "{}", asked.ended.all());
}

/// The server of this language in `tests/data/stages`.
fn stages(ending: &str) -> String {
    data(&format!("stages/server.{ending}"))
}

/// Compiles the server for edges, by a compiler that is told how, and links what tcprove prints for it.
fn built(bench: &Bench, compiler: &str, how: &[&str]) -> Option<String> {
    let source = stages("c");
    let run = |words: &[&str]| {
        let mut command = Command::new(compiler);
        let done = command.current_dir(bench.path("")).args(words).status();
        done.is_ok_and(|status| status.success())
    };
    if Command::new(compiler).arg("--version").output().is_err() {
        return None;
    }
    let printed = bench.run(["generate", "coverage"]);
    bench.write("coverage.c", &printed.stdout);
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-c"];
    assert!(run(&[&flags[..], &["coverage.c"]].concat()));
    assert!(run(
        &[&flags[..], how, &[&source, "-o", "server.o"]].concat()
    ));
    assert!(run(&[
        "server.o",
        "coverage.o",
        "-o",
        "server",
        "-lpthread"
    ]));
    Some(bench.path("server").to_str().unwrap().to_owned())
}

/// A server built by AFL's compiler.
fn built_by_afl(bench: &Bench) -> Option<String> {
    let server = bench.path("server").to_str().unwrap().to_owned();
    let mut command = Command::new("afl-clang-fast");
    let done = command
        .args([&stages("c"), "-o", &server, "-lpthread"])
        .output();
    done.is_ok_and(|out| out.status.success()).then_some(server)
}

/// A server in Rust, built by a stable compiler.
fn built_by_rustc(bench: &Bench) -> Option<String> {
    // Prints the file that is to be linked, and compiles it.
    built(bench, "gcc", &["-fsanitize-coverage=trace-pc"])?;
    let server = bench.path("server-rs");
    let mut command = Command::new("rustc");
    let done = command
        .args(["-O", "-Cpasses=sancov-module"])
        .arg("-Cllvm-args=-sanitizer-coverage-level=3")
        .arg("-Cllvm-args=-sanitizer-coverage-trace-pc-guard")
        .arg(format!("-Clink-arg={}", bench.path("coverage.o").display()))
        .args([&stages("rust"), "-o"])
        .arg(&server)
        .status();
    let done = done.is_ok_and(|status| status.success());
    done.then(|| server.to_str().unwrap().to_owned())
}

/// Compilers for edges, and what builds a server by each.
type Build = fn(&Bench) -> Option<String>;
const BUILDS: [(&str, Build); 4] = [
    ("gcc", |bench| {
        built(bench, "gcc", &["-fsanitize-coverage=trace-pc"])
    }),
    ("clang", |bench| {
        built(bench, "clang", &["-fsanitize-coverage=trace-pc-guard"])
    }),
    ("afl-clang-fast", built_by_afl),
    ("rustc", built_by_rustc),
];

/// An interpreter of Python 3.12 or later.
fn new_python() -> Option<String> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let versions = std::fs::read_dir(home.join(".pyenv/versions"));
    let versions = versions.into_iter().flatten().flatten();
    let mut tried: Vec<PathBuf> = ["python3", "python3.12", "python3.13", "python3.14"]
        .map(PathBuf::from)
        .into();
    tried.extend(versions.map(|version| version.path().join("bin/python3")));
    let found = tried.into_iter().find(|path| is_new(path));
    if found.is_none() {
        may_lack("Python 3.12 or later");
    }
    found?.to_str().map(str::to_owned)
}

fn is_new(python: &Path) -> bool {
    let done = Command::new(python)
        .args(["-c", "import sys; sys.monitoring"])
        .output();
    done.is_ok_and(|out| out.status.success())
}

fn has_node() -> bool {
    let has = Command::new("node").arg("--version").output().is_ok();
    if !has {
        needs("node");
    }
    has
}

#[test]
fn edges_are_seen() {
    if !is_thorough() {
        return;
    }
    for (compiler, build) in BUILDS {
        let bench = Bench::new();
        match build(&bench) {
            Some(server) => sees("edges", &[&server]),
            None => may_lack(compiler),
        }
    }
}

#[test]
fn edges_lead_to_the_bug() {
    if !is_slow("campaigns of up to 100 s") {
        return;
    }
    for (compiler, build) in BUILDS {
        let bench = Bench::new();
        match build(&bench) {
            Some(server) => ["auto", "edges"]
                .into_iter()
                .for_each(|feedback| finds_by(feedback, "edges", &[&server])),
            None => may_lack(compiler),
        }
    }
}

#[test]
fn python_is_seen() {
    if let Some(python) = new_python() {
        sees("python", &[&python, &stages("py")]);
    }
}

#[test]
fn python_leads_to_the_bug() {
    if let Some(python) = new_python().filter(|_| is_slow("campaigns of up to 100 s")) {
        finds("python", &[&python, &stages("py")]);
    }
}

#[test]
fn node_is_seen() {
    if has_node() {
        sees("node", &["node", &stages("js")]);
    }
}

#[test]
fn node_leads_to_the_bug() {
    if has_node() && is_slow("campaigns of up to 100 s") {
        finds("node", &["node", &stages("js")]);
    }
}

#[test]
fn what_is_not_possible_says_why() {
    if let Some(python) = python() {
        let server = stages("py");
        if !is_new(Path::new(python)) {
            cannot("python", "Python 3.12 or later", &[python, &server]);
        }
        cannot("python", "option -I", &[python, "-I", &server]);
        cannot("edges", "afl-clang-fast", &[python, &server]);
        cannot("node", "node does not run", &[python, &server]);
    }
}

/// Serves only if everything is as it would be without a hook, except for the environment.
const PARTICULAR: &str = "
import os, sys, threading
import sitecustomize
assert sitecustomize.of_the_server
assert sys.path.count(os.environ['PYTHONPATH'].split(':')[-1]) == 1, sys.path
assert not any('tcprove-tmp' in one for one in sys.path), sys.path
assert threading.active_count() == 1 and sys.gettrace() is None and sys.getprofile() is None
exec(compile(open(sys.argv.pop(1)).read(), 'server', 'exec'))
";

#[test]
fn python_finds_everything_as_without_a_hook() {
    let Some(python) = new_python() else { return };
    let bench = Bench::new();
    std::fs::create_dir(bench.path("site")).unwrap();
    bench.write("site/sitecustomize.py", "of_the_server = True\n");
    bench.write("particular.py", PARTICULAR);
    let mut command = bench.tcprove();
    command.env("PYTHONPATH", bench.path("site")).args([
        "fuzz",
        "--talk",
        "line",
        "--cases",
        "50",
        "--jobs",
        "1",
        "--feedback",
        "python",
        "--",
        &python,
        "particular.py",
        &stages("py"),
        "{port}",
    ]);
    let ended = bench.end(command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}
