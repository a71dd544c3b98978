//! The run was made, and something in the file or the selection stands in the way of a pass.

use super::sound_file;
use crate::support::Bench;

/// A run that was made, and is blocked by what the file asks for.
fn blocked(file: &str, arguments: &[&str], says: &str) {
    let bench = Bench::new();
    bench.write("tcprove.toml", file);
    let mut all = vec!["check", "--json", "r.json", "--junit", "r.xml"];
    all.extend(arguments);
    let ended = bench.run(all);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(
        ended.stdout.contains(says),
        "no {says:?} in: {}",
        ended.all()
    );
    let json = bench.json("r.json");
    assert_eq!(json["verdict"], "fail");
    assert!(
        json["blockers"][0].as_str().unwrap().contains(says),
        "{json:#}"
    );
    assert!(
        bench
            .junit("r.xml")
            .iter()
            .any(|element| element.name == "failure")
    );
}

#[test]
fn a_required_check_that_skips() {
    let file = sound_file("[check]\nrequire = [\"huge-length\"]\n");
    blocked(
        &file,
        &["--only", "huge-length"],
        "huge-length is required but reached no verdict (skip)",
    );
}

#[test]
fn a_waiver_that_has_ended() {
    let file = sound_file(
        "[[waive]]\ncheck = \"split-bytewise\"\nreason = \"issue 1\"\nuntil = \"2020-01-31\"\n",
    )
    .replace(
        "\"--protocol\", \"line\"",
        "\"--fault\", \"recv-is-message\", \"--protocol\", \"line\"",
    );
    blocked(
        &file,
        &["--only", "split-bytewise"],
        "expired on 2020-01-31",
    );
}

#[test]
fn a_selection_that_leaves_nothing() {
    let ended = Bench::new().run([
        "check",
        "--embedded",
        "--only",
        "split-*",
        "--skip",
        "split-*",
    ]);
    assert_eq!(ended.code, Some(4), "{}", ended.all());
    assert!(
        ended
            .stdout
            .contains("--only, --skip and --shard select none"),
        "{}",
        ended.all()
    );
}
