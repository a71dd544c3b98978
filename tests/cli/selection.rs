//! Which checks are run, and what is made of what they come to.

use std::collections::BTreeSet;

use super::file;
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended};

/// Ids of the outcomes of a run with these arguments; its exit code and plan hash.
fn outcomes(bench: &Bench, arguments: &[&str]) -> (Vec<String>, Ended, String) {
    let mut all = vec!["check", "--json", "r.json"];
    all.extend(arguments);
    let ended = bench.run(all);
    let json = bench.json("r.json");
    let ids = json["outcomes"].as_array().unwrap().iter();
    let ids = ids
        .map(|outcome| outcome["id"].as_str().unwrap().to_owned())
        .collect();
    (ids, ended, json["plan_hash"].as_str().unwrap().to_owned())
}

#[test]
fn only_and_skip_are_patterns() {
    let bench = Bench::new();
    let (ids, ended, _) = outcomes(
        &bench,
        &[
            "--embedded",
            "--only",
            "split-*",
            "--only",
            "zero-length",
            "--skip",
            "*-two",
        ],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ids.contains(&"zero-length".into()) && ids.contains(&"split-bytewise".into()));
    assert!(
        ids.iter()
            .all(|id| id == "zero-length" || (id.starts_with("split-") && !id.ends_with("-two")))
    );
}

#[test]
fn the_shards_together_are_the_whole() {
    let bench = Bench::new();
    let (whole, _, hash) = outcomes(
        &bench,
        &[
            "--embedded",
            "--only",
            "split-*",
            "--only",
            "utf8-*",
            "--seed",
            "3",
        ],
    );
    let mut parts = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let arguments = [
            "--embedded",
            "--only",
            "split-*",
            "--only",
            "utf8-*",
            "--seed",
            "3",
            "--shard",
            shard,
        ];
        let (ids, _, part_hash) = outcomes(&bench, &arguments);
        assert!(ids.len() < whole.len());
        assert_eq!(part_hash, hash, "parts of one plan can be merged");
        parts.extend(ids);
    }
    assert_eq!(parts.len(), whole.len(), "no check is in two shards");
    let set = |ids: Vec<String>| ids.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(parts), set(whole));
}

#[test]
fn a_waived_failure_passes() {
    let bench = Bench::new();
    file(
        &bench,
        "recv-is-message",
        "[[waive]]\ncheck = \"split-*\"\nreason = \"issue 5\"\n",
    );
    let (_, ended, _) = outcomes(
        &bench,
        &["--only", "split-bytewise", "--only", "zero-length"],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let json = bench.json("r.json");
    assert_eq!(json["verdict"], "pass");
    assert_eq!(json["counts"]["waived"], 1);
    assert_eq!(json["outcomes"][0]["waived"], "issue 5");
    assert_eq!(
        json["outcomes"][0]["outcome"], "fail",
        "what was seen stays as it was"
    );
    assert!(ended.stdout.contains("waived"), "{}", ended.stdout);
}

/// A waiver is stale only if everything was looked at: never under --only, --skip or --shard.
#[test]
fn a_waiver_is_not_stale_where_not_all_was_looked_at() {
    let bench = Bench::new();
    file(
        &bench,
        "",
        "[[waive]]\ncheck = \"zero-length\"\nreason = \"issue 5\"\n",
    );
    for selection in [["--only", "zero-length"], ["--shard", "1/1000"]] {
        let (_, ended, _) = outcomes(&bench, &selection);
        assert!(!ended.stdout.contains("stale"), "{}", ended.all());
    }
}

/// The whole battery, once: it passes on the sound server, and the waiver that nothing needs blocks.
#[test]
fn a_stale_waiver_blocks_the_whole_battery() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let rest = "[promise]\nmax_message = 65536\n[[waive]]\ncheck = \"zero-length\"\nreason = \"issue 5\"\n";
    file(&bench, "", rest);
    let (ids, ended, _) = outcomes(&bench, &["--junit", "r.xml"]);
    // The checks of TLS and of the PROXY protocol do not concern this server.
    let of_transports = ["tls-", "starttls-", "proxy-"];
    let is_about = |id: &str| !of_transports.iter().any(|start| id.starts_with(start));
    let all = tcprove::check::all().filter(|check| is_about(check.id));
    assert_eq!(ids.len(), all.count());
    let json = bench.json("r.json");
    assert_eq!(json["counts"]["fail"], 0, "{}", ended.all());
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(
        ended
            .stdout
            .contains("the waiver for `zero-length` (issue 5) is stale"),
        "{}",
        ended.stdout
    );
    assert!(bench.junit("r.xml").iter().any(|one| one.name == "failure"));
}

#[test]
fn a_required_check_that_passes_does_not_block() {
    let bench = Bench::new();
    file(&bench, "", "[check]\nrequire = [\"split-bytewise\"]\n");
    assert_eq!(outcomes(&bench, &["--only", "split-*"]).1.code, Some(0));
}

#[test]
fn what_is_made_of_inconclusive_is_ours_to_say() {
    for (choice, code) in [("pass", 0), ("fail", 1), ("exit5", 5)] {
        let bench = Bench::new();
        // The second of these cannot begin after a millisecond: the first has taken longer.
        let arguments = [
            "--embedded",
            "--only",
            "big-reply",
            "--only",
            "start-ready",
            "--only",
            "idle-cpu",
            "--max-time",
            "1ms",
        ];
        let mut all = arguments.to_vec();
        all.extend(["--on-inconclusive", choice]);
        let (_, ended, _) = outcomes(&bench, &all);
        let json = bench.json("r.json");
        assert_eq!(json["verdict"], "inconclusive", "{}", ended.all());
        assert_eq!(ended.code, Some(code), "{choice}: {}", ended.all());
    }
}

#[test]
fn the_same_seed_says_the_same_words() {
    let bench = Bench::new();
    let mut sent = Vec::new();
    for _ in 0..2 {
        outcomes(
            &bench,
            &["--embedded", "--only", "split-bytewise", "--seed", "42"],
        );
        let steps = bench.json("r.json")["outcomes"][0]["evidence"]["steps"].clone();
        let steps = steps
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step.as_str().unwrap().to_owned());
        sent.push(
            steps
                .filter(|step| step.contains(" send "))
                .collect::<Vec<_>>(),
        );
    }
    assert!(!sent[0].is_empty());
    assert_eq!(sent[0], sent[1]);
}
