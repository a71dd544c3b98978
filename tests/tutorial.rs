//! One run on the tutorial's server reports its known faults.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Bench;
use crate::support::battery::{Checked, check, data, have};
use crate::support::skip::{is_thorough, rounds};

/// Runs the tutorial's server through the whole battery if slow tests are enabled, otherwise only through the checks that
/// are asserted. `None` if there is no python3.
fn tutorial(mode: &str, asserted: &[&str]) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let script = data("tutorial_server.py");
    let script = script.to_str().expect("a path in UTF-8");
    let only = asserted.iter().flat_map(|id| ["--only", id]);
    let only: Vec<&str> = only.filter(|_| rounds() == 0).collect();
    let target = [
        "--talk", "tutorial", "--", "python3", script, "{port}", mode,
    ];
    Some(check(only.into_iter().chain(target)))
}

/// Runs the command that the report gives to reproduce a result, and asserts the same result.
fn reproduces(checked: &Checked, id: &str) {
    let command = checked.outcome(id)["reproduce"]
        .as_str()
        .expect("a command");
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .expect("sh runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let wanted = checked.outcome(id)["outcome"].as_str().expect("an outcome");
    assert!(
        text.contains(&format!("{wanted:<12} {id}")),
        "{command}\n{text}"
    );
    assert_eq!(
        output.status.code(),
        Some(i32::from(wanted == "fail")),
        "{command}\n{text}"
    );
}

#[test]
fn loop_mode_dies_and_blocks_in_the_ways_that_it_does() {
    if !is_thorough() {
        return;
    }
    let expected = [
        ("utf8-invalid", "fail", "died"),
        ("utf8-split-char", "fail", "died"),
        ("utf8-split-buffer", "fail", "died"),
        ("rst-on-connect", "fail", "died"),
        ("hol-idle", "fail", "blocked"),
        ("over-buffer", "warn", "reset"),
    ];
    let Some(checked) = tutorial("loop", &expected.map(|(id, ..)| id)) else {
        return;
    };
    for (id, outcome, kind) in expected {
        checked.assert(id, outcome, kind);
    }
    assert_eq!(checked.code(), 1);
    assert_eq!(checked.ids("inconclusive"), [""; 0], "{}", checked.shown());
    let again = if rounds() == 0 { 1 } else { expected.len() };
    for (id, ..) in &expected[..again] {
        reproduces(&checked, id);
    }
}

#[test]
fn threads_mode_dies_without_descriptors() {
    if !is_thorough() {
        return;
    }
    let Some(checked) = tutorial("threads", &["emfile-live", "hol-idle", "rst-on-connect"]) else {
        return;
    };
    checked.assert("emfile-live", "fail", "died");
    for id in ["hol-idle", "rst-on-connect"] {
        assert_eq!(
            checked.outcome(id)["outcome"],
            "pass",
            "{id}\n{}",
            checked.shown()
        );
    }
    reproduces(&checked, "emfile-live");
}

#[test]
fn once_mode_serves_a_single_client() {
    let Some(checked) = tutorial("once", &[]) else {
        return;
    };
    checked.assert("serves-again", "fail", "died");
    let actual = checked.outcome("serves-again")["actual"]
        .as_str()
        .expect("text");
    assert!(actual.contains("exited with code 0"), "{actual}");
    assert_eq!(checked.ids("fail"), ["serves-again"], "{}", checked.shown());
    reproduces(&checked, "serves-again");
}

/// The rows of the table in `docs/tutorial.md`: a server, the checks that it fails, and those that it passes now.
fn steps() -> Vec<(String, Vec<String>, Vec<String>)> {
    let page = std::fs::read_to_string(docs().join("tutorial.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ids = |cell: &str| cell.split_whitespace().map(str::to_owned).collect();
        let server = cells[1].trim_matches('`').to_owned();
        (server, ids(cells[2]), ids(cells[3]))
    })
    .collect()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Each step of the page fails and passes what the page says; without `TCPROVE_SLOW` the first two checks of each.
#[test]
fn the_steps_of_the_page_turn_green() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let most = if rounds() == 0 { 2 } else { usize::MAX };
    let steps = steps();
    assert_eq!(steps.len(), 5);
    for (server, fails, passes) in steps {
        let expected =
            |ids: Vec<String>, outcome| ids.into_iter().take(most).zip(std::iter::repeat(outcome));
        let expected: Vec<_> = expected(fails, "fail")
            .chain(expected(passes, "pass"))
            .collect();
        let only: Vec<&str> = expected.iter().map(|(id, _)| id.as_str()).collect();
        let script = docs().join("tutorial").join(&server);
        let script = script.to_str().expect("a path in UTF-8");
        let bench = Bench::new();
        let is_lines = server.starts_with(['4', '5']);
        if is_lines {
            let file =
                std::fs::read_to_string(docs().join("tutorial/lines.toml")).expect("the file");
            // Only the last server promises anything.
            let end = if server.starts_with('4') {
                file.find("[promise]")
            } else {
                None
            };
            let file = file[..end.unwrap_or(file.len())].replace("5_limits.py", script);
            bench.write("tcprove.toml", &file);
        }
        let target: &[&str] = match is_lines {
            true => &[],
            false => &["--talk", "tutorial", "--", "python3", script, "{port}"],
        };
        let words = ["check", "--json", "report.json", "--only"];
        let only = only.join(",");
        let ended = bench.run(words.iter().chain(&[only.as_str()]).chain(target));
        let report = bench.json("report.json");
        for (id, outcome) in &expected {
            let outcomes = report["outcomes"].as_array().expect("outcomes");
            let found = outcomes.iter().find(|found| found["id"] == id.as_str());
            let found = found.unwrap_or_else(|| panic!("{server}: {id}: {}", ended.all()));
            assert_eq!(found["outcome"], *outcome, "{server}: {id}: {found:#}");
        }
    }
}
