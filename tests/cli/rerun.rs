//! `tcprove rerun`, and the recent runs that it reads.

use super::file;
use crate::support::Bench;

fn ids(bench: &Bench) -> Vec<String> {
    let report = bench.json("again.json");
    let outcomes = report["outcomes"].as_array().unwrap().iter();
    outcomes
        .map(|outcome| outcome["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_failed_is_repeated_until_it_passes() {
    let bench = Bench::new();
    let ended = bench.run(["rerun"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.stderr.contains("no run was made"), "{}", ended.all());

    file(&bench, "recv-is-message", "");
    let words = ["check", "--only", "split-bytewise,rst-on-connect"];
    assert_eq!(bench.run(words).code, Some(1));
    let again = ["rerun", "--json", "again.json"];
    for _ in 0..2 {
        let ended = bench.run(again);
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert_eq!(ids(&bench), ["split-bytewise"]);
    }

    // A server that does not start leaves what had failed before as it was.
    let target = ["check", "--talk", "line", "--", "false", "{port}"];
    assert_eq!(bench.run(target).code, Some(3));

    file(&bench, "", "");
    let ended = bench.run(again);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(ids(&bench), ["split-bytewise"]);
    let ended = bench.run(again);
    assert_eq!(ended.code, Some(4), "{}", ended.all());
    assert!(ended.stderr.contains("nothing failed"), "{}", ended.all());
    // By its id it is found in an earlier run.
    let ended = bench.run(["rerun", "split-bytewise"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let ended = bench.run(["rerun", "herd"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
}

#[test]
fn findings_are_replayed() {
    let bench = Bench::new();
    file(&bench, "exit-on-decode-error", "");
    let words = [
        "fuzz",
        "--duration",
        "60s",
        "--stop-on-first",
        "--jobs",
        "1",
    ];
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let ended = bench.run(["rerun", "--json", "again.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert_eq!(bench.json("again.json")["command"], "replay");
    assert_eq!(bench.json("again.json")["items"][0]["seen"], "3/3");
}
