//! The GitHub Action: its description, and its script on a repository with two commits.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::skip::is_slow;
use crate::support::{Bench, Ended};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Constructs that hide an exit code, or need permissions that a fork does not have.
#[test]
fn nothing_swallows_an_exit_code_or_needs_a_token() {
    let action = std::fs::read_to_string(root().join("action.yml")).unwrap();
    let script = std::fs::read_to_string(root().join("action/prove.sh")).unwrap();
    for swallows in ["continue-on-error", "|| true", "|| :", "set +e"] {
        assert!(
            !action.contains(swallows) && !script.contains(swallows),
            "{swallows}"
        );
    }
    assert!(!action.contains("github.token") && !action.contains("secrets."));
    assert!(action.contains("if: always()") && script.contains("set -euo pipefail"));
    // Values that a pull request controls are passed to the shell as variables, never inserted into a script.
    let scripts = action
        .lines()
        .filter(|line| line.trim_start().starts_with("run:"));
    assert!(scripts.clone().count() >= 2);
    assert!(scripts.into_iter().all(|line| !line.contains("${{ inputs")));
}

fn git(bench: &Bench, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(bench.path("repository")).args([
        "-c",
        "user.name=someone",
        "-c",
        "user.email=someone@example.org",
        "-c",
        "init.defaultBranch=main",
    ]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates a repository of two commits; the second one adds `arguments` to the server. Returns the first commit.
fn repository(bench: &Bench, arguments: &str) -> String {
    let repository = bench.path("repository");
    std::fs::create_dir(&repository).unwrap();
    let server = |arguments: &str| {
        let text = format!("exec tcprove serve --protocol line --port \"$1\" {arguments}\n");
        std::fs::write(repository.join("server.sh"), text).unwrap();
    };
    server("");
    git(bench, &["init", "--quiet"]);
    git(bench, &["add", "."]);
    git(bench, &["commit", "--quiet", "-m", "base"]);
    let before = git(bench, &["rev-parse", "HEAD"]);
    server(arguments);
    git(
        bench,
        &[
            "commit",
            "--quiet",
            "--allow-empty",
            "-a",
            "-m",
            "candidate",
        ],
    );
    before
}

/// A command that runs the script in the repository with only the required variables. Its output goes to `out`.
fn script(bench: &Bench) -> Command {
    let tcprove = bench.tcprove();
    let mut command = Command::new("bash");
    for (name, value) in tcprove.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(bench.path("repository"))
        .arg(root().canonicalize().unwrap().join("action/prove.sh"))
        .env("BUILD", "pwd >>\"$BUILDS\"")
        .env("BUILDS", bench.path("builds"))
        .env("SERVER", "bash {root}/server.sh {port}")
        .env("OUT", bench.path("out"))
        .env("GITHUB_STEP_SUMMARY", bench.path("summary.md"));
    for name in [
        "TALK",
        "FILE",
        "BASE",
        "CORPUS",
        "FUZZ_DURATION",
        "GATE_ARGUMENTS",
        "ON_INCONCLUSIVE",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs the script on a candidate whose server has these arguments. Its base has none.
fn prove(bench: &Bench, arguments: &str, base: Option<&str>) -> Ended {
    let before = repository(bench, arguments);
    let mut command = script(bench);
    command
        .env("TALK", "line")
        .env("FILE", "tcprove.toml")
        .env("BASE", base.unwrap_or(&before))
        .env("CORPUS", "corpus")
        // Before its first case, a campaign looks for what it can see of the server.
        .env("FUZZ_DURATION", "4s")
        .env("GATE_ARGUMENTS", "--max-time 8s --sessions 8")
        .env("ON_INCONCLUSIVE", "pass");
    bench.end(command)
}

/// Asserts that both were built in their own folders, and that the checkout of the base was removed.
fn assert_built_and_gone(bench: &Bench, runs: usize) {
    let builds = bench.read("builds");
    let is_in = |folder: &str| {
        let folder = bench.path(folder).canonicalize().unwrap();
        let inside = move |line: &&str| Path::new(line).starts_with(&folder);
        builds.lines().filter(inside).count()
    };
    assert_eq!(is_in("repository"), runs, "{builds}");
    assert_eq!(is_in("out"), runs, "{builds}");
    assert!(!bench.path("out/base").exists());
    let worktrees = git(bench, &["worktree", "list"]);
    assert_eq!(worktrees.lines().count(), 1, "{worktrees}");
}

/// Runs the script with a `tcprove` that only prints its arguments.
#[test]
fn the_script_has_defaults_leaves_no_worktree_and_can_be_run_again() {
    let bench = Bench::new();
    let before = repository(&bench, "");
    std::fs::create_dir(bench.path("stand-in")).unwrap();
    let program = bench.write(
        "stand-in/tcprove",
        "#!/bin/sh\necho \"asked: $*\"\ntouch \"$OUT/out/$1.json\"\n",
    );
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(bench.path("repository/tcprove-corpus")).unwrap();
    bench.write("repository/tcprove-corpus/case.json", "{}");
    let mut path = vec![bench.path("stand-in")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let path = std::env::join_paths(path).unwrap();
    for run in 1..=2 {
        let mut command = script(&bench);
        command.env("PATH", &path).env("BASE", &before);
        let ended = bench.end(command);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert_built_and_gone(&bench, run);
        let asked: Vec<&str> = ended.stdout.lines().collect();
        let file = bench.path("repository/tcprove.toml");
        let file = format!("-f {}", file.canonicalize().unwrap_or(file).display());
        for command in ["check", "fuzz", "gate"] {
            let begin = format!("asked: {command} --on-inconclusive pass ");
            let line = asked.iter().find(|line| line.starts_with(&begin));
            assert!(
                line.is_some_and(|line| line.contains(&file)),
                "{}",
                ended.all()
            );
        }
        assert!(bench.path("out/out/corpus/case.json").exists());
        assert!(!bench.path("out/out/corpus/tcprove-corpus").exists());
    }
    // Without a base there is no gate, and the report of an earlier gate is removed.
    let mut command = script(&bench);
    command.env("PATH", &path);
    let ended = bench.end(command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(bench.path("out/out/check.json").exists());
    assert!(!bench.path("out/out/gate.json").exists());
}

#[test]
fn a_slower_candidate_fails_the_step_and_leaves_its_reports() {
    if !is_slow("half a minute of the action's script") {
        return;
    }
    let bench = Bench::new();
    let ended = prove(&bench, "--slower 1000", None);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    for (command, code) in [("check", 0), ("fuzz", 0), ("gate", 1)] {
        let line = format!("tcprove {command} ended with {code}");
        assert!(ended.stdout.contains(&line), "{line}: {}", ended.all());
        assert!(
            bench
                .path("out/out")
                .join(format!("{command}.json"))
                .exists()
        );
    }
    assert_built_and_gone(&bench, 1);
    assert!(bench.read("summary.md").contains("<!-- tcprove gate -->"));
}

#[test]
fn the_first_commit_has_no_gate() {
    if !is_slow("half a minute of the action's script") {
        return;
    }
    let bench = Bench::new();
    let ended = prove(&bench, "", Some("0000000000000000000000000000000000000000"));
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.stdout.contains("no gate"), "{}", ended.stdout);
}
