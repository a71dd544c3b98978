//! The GitHub Action: what it says of itself, and its script on a repository with two commits.

use std::path::Path;
use std::process::Command;

use crate::support::skip::is_slow;
use crate::support::{Bench, Ended};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What reads an exit code away, or needs more than a fork has.
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
    // What a pull request chooses reaches the shell as variables, never as text of a script.
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

/// The script on a candidate whose server has these arguments; its base has none.
fn prove(bench: &Bench, arguments: &str, base: Option<&str>) -> Ended {
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
    let tcprove = bench.tcprove();
    let mut command = Command::new("bash");
    for (name, value) in tcprove.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(&repository)
        .arg(root().canonicalize().unwrap().join("action/prove.sh"))
        .env("BUILD", "touch built")
        .env("SERVER", "bash {root}/server.sh {port}")
        .env("TALK", "line")
        .env("FILE", "tcprove.toml")
        .env("BASE", base.unwrap_or(&before))
        .env("CORPUS", "corpus")
        .env("FUZZ_DURATION", "1s")
        .env("GATE_ARGUMENTS", "--max-time 8s --sessions 8")
        .env("ON_INCONCLUSIVE", "pass")
        .env("OUT", bench.path("out"))
        .env("GITHUB_STEP_SUMMARY", bench.path("summary.md"));
    bench.end(command)
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
    assert!(bench.path("out/base/built").exists() && bench.path("repository/built").exists());
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
