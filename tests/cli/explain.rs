//! `tcprove explain`.

use crate::support::Bench;

#[test]
fn a_check_a_cause_and_a_fault() {
    let bench = Bench::new();
    let ended = bench.run(["explain", "utf8-split-char"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for part in [
        "requirement",
        "RFC 3629",
        "stimulus",
        "if it fails",
        "see it fail",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let ended = bench.run(["explain", "read-is-message", "eof-spin"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.stdout.contains("split-"), "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .contains("what to do  collect bytes until a message is whole"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("spin-after-eof"), "{}", ended.stdout);
    let ended = bench.run(["explain", "utf8-split-chars"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    let near = "did you mean `utf8-split-char`?";
    assert!(ended.stderr.contains(near), "{}", ended.stderr);
}

/// Each check says when it applies and what its failure does; the command that shows it failing is of a fault that names it.
#[test]
fn every_check_is_explained() {
    let bench = Bench::new();
    let list = bench.run(["check", "--list"]);
    let ids: Vec<&str> = list
        .stdout
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(ids.len() > 80, "{ids:?}");
    let ended = bench.run(["explain"].iter().chain(&ids));
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let count = |part: &str| ended.stdout.matches(part).count();
    assert_eq!(count("\n  requirement "), ids.len());
    assert_eq!(count("\n  counts "), ids.len());
    assert!(count("tcprove check --only") > ids.len() / 2);
}
