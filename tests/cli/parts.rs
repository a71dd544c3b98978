//! A battery in several parts: who says which part this is, how it is divided, and the whole that they are merged into.

use std::collections::BTreeMap;

use super::file;
use crate::support::{Bench, Ended, program};

const SELECTED: [&str; 6] = ["--only", "split-*", "--only", "utf8-*", "--seed", "3"];
const WAIVER: &str = "[[waive]]\ncheck = \"split-bytewise\"\nreason = \"issue 5\"\n";

/// Runs the selected checks with these arguments and environment variables, and writes the JSON to the file.
fn check(bench: &Bench, json: &str, more: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = bench.tcprove();
    command.args(["check", "--json", json]).args(SELECTED);
    command.args(more).envs(variables.iter().copied());
    bench.end(command)
}

/// The verdicts of the checks in a report.
fn verdicts(bench: &Bench, json: &str) -> BTreeMap<String, (String, String)> {
    let report = bench.json(json);
    let outcomes = report["outcomes"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    outcomes
        .map(|outcome| {
            let verdict = (text(&outcome["outcome"]), text(&outcome["waived"]));
            (text(&outcome["id"]), verdict)
        })
        .collect()
}

#[test]
fn parts_that_a_scheduler_divides_are_merged_into_the_whole() {
    let bench = Bench::new();
    file(&bench, "recv-is-message", WAIVER);
    let whole = check(&bench, "whole.json", &[], &[]);
    assert_eq!(whole.code, Some(1), "{}", whole.all());
    for (index, name) in [("0", "a.json"), ("1", "b.json"), ("2", "c.json")] {
        let variables = [("TEST_SHARD_INDEX", index), ("TEST_TOTAL_SHARDS", "3")];
        let part = check(&bench, name, &["--shard", "auto"], &variables);
        let told = format!("(TEST_SHARD_INDEX={index}, TEST_TOTAL_SHARDS=3)");
        assert!(part.stderr.contains(&told), "{}", part.all());
    }
    let reports = [
        "--json",
        "all.json",
        "--junit",
        "all.xml",
        "--markdown",
        "all.md",
    ];
    let merged = bench.run([&["merge", "c.json", "a.json", "b.json"][..], &reports].concat());
    assert_eq!(merged.code, Some(1), "{}", merged.all());
    assert_eq!(verdicts(&bench, "all.json"), verdicts(&bench, "whole.json"));
    let (all, whole) = (bench.json("all.json"), bench.json("whole.json"));
    for key in [
        "schema",
        "command",
        "seed",
        "plan",
        "plan_hash",
        "verdict",
        "counts",
    ] {
        assert_eq!(all[key], whole[key], "{key}");
    }
    assert!(bench.read("all.xml").contains("split-each-offset"));
    assert!(bench.read("all.md").contains("split-each-offset"));
    assert!(merged.stdout.contains("1 waived"), "{}", merged.all());

    let lacking = bench.run(["merge", "a.json", "c.json", "--json", "no.json"]);
    assert_eq!(lacking.code, Some(2), "{}", lacking.all());
    assert!(lacking.stderr.contains("part 2 of 3 is missing"));
    assert_eq!(bench.json("no.json")["error"]["code"], "usage");
}

#[test]
fn parts_by_duration_are_the_whole_too() {
    let bench = Bench::new();
    file(&bench, "", "");
    check(&bench, "whole.json", &[], &[]);
    let parts = ["1/2", "2/2"].map(|shard| {
        let name = shard.replace('/', "-") + ".json";
        let ended = check(
            &bench,
            &name,
            &["--shard", shard, "--durations", "whole.json"],
            &[],
        );
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        name
    });
    let merged = bench.run(["merge", &parts[0], &parts[1], "--json", "all.json"]);
    assert_eq!(merged.code, Some(0), "{}", merged.all());
    assert_eq!(verdicts(&bench, "all.json"), verdicts(&bench, "whole.json"));

    // Another division may leave checks out, so its parts do not fit.
    let other = check(&bench, "other.json", &["--shard", "2/2"], &[]);
    assert_eq!(other.code, Some(0), "{}", other.all());
    let merged = bench.run(["merge", &parts[0], "other.json"]);
    assert_eq!(merged.code, Some(2), "{}", merged.all());
    assert!(
        merged.stderr.contains("selection.divided"),
        "{}",
        merged.all()
    );
    let ended = check(
        &bench,
        "no.json",
        &["--shard", "2/2", "--durations", "tcprove.toml"],
        &[],
    );
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended.stderr.contains("no report of a battery"),
        "{}",
        ended.all()
    );
}

#[test]
fn a_scheduler_that_says_half_is_told() {
    let half = assert_cmd::Command::new(program())
        .args(["check", "--embedded", "--shard", "auto"])
        .env("JOB_COMPLETION_INDEX", "1")
        .assert()
        .code(2);
    let told = String::from_utf8_lossy(&half.get_output().stderr);
    assert!(told.contains("JOB_COMPLETIONS is not"), "{told}");
}

/// A short sweep over settings, or a part of one.
fn sweep(bench: &Bench, json: &str, more: &[&str]) -> Ended {
    let words = [
        "bench",
        "--embedded",
        "--sweep",
        "pipeline=1,8",
        "--connections",
        "2",
        "--max-time",
        "2s",
        "--seed",
        "3",
        "--no-progress",
        "--json",
        json,
    ];
    bench.run([&words[..], more].concat())
}

#[test]
fn parts_of_a_sweep_are_merged_into_one_sweep() {
    let bench = Bench::new();
    for part in ["1/2", "2/2"] {
        let ended = sweep(&bench, &format!("{}.json", &part[..1]), &["--shard", part]);
        assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
    }
    let formats = [
        "--json", "all.json", "--html", "all.html", "--csv", "all.csv", "--junit", "all.xml",
    ];
    let merged = bench.run([&["merge", "2.json", "1.json"][..], &formats].concat());
    assert!(matches!(merged.code, Some(0 | 5)), "{}", merged.all());
    let [one, two, all] = ["1.json", "2.json", "all.json"].map(|name| bench.json(name));
    let rounds = |report: &serde_json::Value| report["rounds"].as_u64().unwrap();
    assert_eq!(
        rounds(&all),
        rounds(&one) + rounds(&two),
        "{}",
        merged.all()
    );
    assert_eq!(rounds(&all), all["plan"]["rounds"].as_u64().unwrap());
    assert_eq!(all["plan_hash"], one["plan_hash"]);
    assert_eq!(all["cells"].as_array().unwrap().len(), 2);
    assert!(bench.read("all.csv").starts_with("pipeline,"));
    assert!(bench.read("all.html").contains("pipeline"));
    let lacking = bench.run(["merge", "1.json"]);
    assert_eq!(lacking.code, Some(2), "{}", lacking.all());
    assert!(
        lacking.stderr.contains("part 2 of 2 is missing"),
        "{}",
        lacking.all()
    );
    let few = sweep(&bench, "no.json", &["--shard", "1/3", "--rounds", "2"]);
    assert_eq!(few.code, Some(2), "{}", few.all());
    assert!(
        few.stderr.contains("cannot be divided into 3 parts"),
        "{}",
        few.all()
    );
    let other = bench.run([
        "merge",
        "1.json",
        "2.json",
        "--corpus",
        "x",
        "--corpus-from",
        "y",
    ]);
    assert!(
        other.stderr.contains("only a campaign has"),
        "{}",
        other.all()
    );
}
