//! Runs batteries of checks and reads their JSON reports.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{is_in_path, skip};

/// A command that runs the `tcprove` binary.
pub fn tcprove() -> Command {
    super::share();
    Command::new(super::program())
}

/// The path of a file in `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/data")
        .join(name)
}

/// Whether `program` is in PATH. If not, records the running test as skipped.
#[track_caller]
pub fn have(program: &str) -> bool {
    let found = is_in_path(program);
    if !found {
        skip::needs(program);
    }
    found
}

/// Compiles a C program of `tests/data` into a folder, with debug information. `None`, with the running test as skipped,
/// without a compiler or if it cannot be compiled here.
#[track_caller]
pub fn compiled(source: &str, folder: &Path, flags: &[&str]) -> Option<String> {
    if !have("cc") {
        return None;
    }
    let source = data(source);
    let program = folder.join(source.file_stem().expect("a name"));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-g", "-O1", "-pthread", "-o"])
        .args([&program, &source]);
    let output = compiler.args(flags).output().expect("cc runs");
    if !output.status.success() {
        skip::needs(&format!("what {} includes", source.display()));
        return None;
    }
    Some(program.to_str().expect("a path in UTF-8").to_owned())
}

/// The file that `tcprove init` writes for a built-in talk, in this folder.
pub fn initialized(talk: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{talk}.toml"));
    let mut command = tcprove();
    command.args(["init", "--talk", talk, "-o"]).arg(&path);
    assert!(command.output().expect("tcprove runs").status.success());
    path
}

/// A run of `tcprove check` and its JSON report.
pub struct Checked {
    pub output: Output,
    pub report: Value,
}

/// Runs `tcprove check` with these arguments and reads the JSON report, which it writes on every exit.
pub fn check<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Checked {
    check_in([], arguments)
}

/// Like [`check`], with these variables in the environment.
pub fn check_in<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    environment: impl IntoIterator<Item = (&'static str, String)>,
    arguments: I,
) -> Checked {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("report.json");
    let mut command = tcprove();
    command
        .envs(environment)
        .arg("check")
        .arg("--json")
        .arg(&json)
        .arg("--no-progress")
        .args(arguments);
    let output = command.output().expect("tcprove runs");
    let text = std::fs::read_to_string(&json).expect("the report is written on every exit");
    let report = serde_json::from_str(&text).expect("the report is JSON");
    Checked { output, report }
}

/// Runs these checks on the server in a folder of `tests/data`, with these parameters.
pub fn small_server(name: &str, params: &[&str], checks: &[&str]) -> Checked {
    let file = data(name).join("tcprove.toml");
    only(file.to_str().expect("a path in UTF-8"), params, checks)
}

/// As [`small_server`], in this one of its variants.
pub fn variant(name: &str, how: &str, checks: &[&str]) -> Checked {
    small_server(name, &[&format!("how={how}")], checks)
}

/// Asserts that this variant of a small server passes these checks.
#[track_caller]
pub fn passes(name: &str, how: &str, checks: &[&str]) {
    if !have("python3") {
        return;
    }
    let sound = variant(name, how, checks);
    assert_eq!(sound.ids("pass").len(), checks.len(), "{}", sound.shown());
}

/// As [`small_server`], with these lines at the end of its file.
pub fn small_server_stating(name: &str, more: &str, params: &[&str], checks: &[&str]) -> Checked {
    let folder = tempfile::tempdir().expect("a temporary folder");
    only(&file_stating(name, more, folder.path()), params, checks)
}

/// Runs these checks on the server in this file, with these parameters.
fn only(file: &str, params: &[&str], checks: &[&str]) -> Checked {
    let params = params.iter().flat_map(|param| ["--param", param]);
    let only = checks.iter().flat_map(|id| ["--only", id]);
    check(["-f", file].into_iter().chain(params).chain(only))
}

/// Writes the file of a server in `tests/data` into `folder`, with these lines at its end. Returns its path.
pub fn file_stating(name: &str, more: &str, folder: &Path) -> String {
    let source = std::fs::read_to_string(data(name).join("tcprove.toml")).expect("a file");
    let cwd = format!("[server]\ncwd = {:?}", data(name));
    let source = source.replacen("[server]", &cwd, 1);
    let file = folder.join("tcprove.toml");
    std::fs::write(&file, format!("{source}{more}")).expect("a file that can be written");
    file.to_str().expect("a path in UTF-8").to_owned()
}

impl Checked {
    /// The exit code.
    pub fn code(&self) -> i32 {
        self.output.status.code().expect("tcprove exits by itself")
    }

    /// The entry of one check. Panics if it did not run.
    pub fn outcome(&self, id: &str) -> &Value {
        let outcomes = self.report["outcomes"].as_array().expect("outcomes");
        outcomes
            .iter()
            .find(|outcome| outcome["id"] == id)
            .unwrap_or_else(|| panic!("{id} did not run"))
    }

    /// What a check that fell short observed.
    pub fn actual(&self, id: &str) -> &str {
        self.outcome(id)["actual"].as_str().expect("a shortfall")
    }

    /// The ids of all checks with this outcome.
    pub fn ids(&self, outcome: &str) -> Vec<&str> {
        let outcomes = self.report["outcomes"].as_array().expect("outcomes");
        outcomes
            .iter()
            .filter(|entry| entry["outcome"] == outcome)
            .filter_map(|entry| entry["id"].as_str())
            .collect()
    }

    /// Asserts the outcome and the kind of one check.
    pub fn assert(&self, id: &str, outcome: &str, kind: &str) {
        let entry = self.outcome(id);
        assert_eq!(
            (&entry["outcome"], &entry["kind"]),
            (&outcome.into(), &kind.into()),
            "{id}: {entry:#}"
        );
    }

    /// Both streams, for the messages of assertions.
    pub fn shown(&self) -> String {
        format!(
            "{}{}",
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr)
        )
    }
}
