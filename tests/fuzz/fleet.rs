//! Campaigns that share a corpus: what one finds the others have, each finding is settled once, and a killed member loses
//! nothing.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Bench, Ended, Running, until};

/// A campaign that a test ends, and one that ends with a finding.
const LONG: [&str; 2] = ["--duration", "100s"];
const FIRST: [&str; 3] = ["--duration", "100s", "--stop-on-first"];

/// The files in a folder of the shared corpus, in order, hidden ones not.
fn files(bench: &Bench, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path("shared").join(folder));
    let names = entries.into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.retain(|name| name.contains('.'));
    names.sort();
    names
}

/// A campaign of a fleet, with a folder of its own.
struct Member {
    bench: Bench,
    running: Running,
}

/// A member of a fleet of three, on the embedded server with this fault, or with none.
fn member(shared: &Bench, number: usize, fault: &str, more: &[&str]) -> Member {
    let bench = Bench::new();
    let mut command = bench.tcprove();
    command.args(["fuzz", "--embedded", "--feedback", "shape"]);
    if !fault.is_empty() {
        command.args(["--param", &format!("fault={fault}")]);
    }
    command
        .args(["--jobs", "1", "--seed", "7", "--no-progress"])
        .args(["--part", &format!("{number}/3"), "--sync", "200ms"])
        .args(["--json", "fuzz.json", "--corpus"])
        .arg(shared.path("shared"))
        .args(more);
    let running = bench.start(command);
    Member { bench, running }
}

impl Member {
    /// Waits for its end, and reads its report.
    fn end(self) -> (Ended, Value, Bench) {
        let ended = self.running.end();
        let report = self.bench.json("fuzz.json");
        (ended, report, self.bench)
    }

    /// Interrupts it.
    fn stop(self) -> (Ended, Value, Bench) {
        self.running.signal(Signal::INT);
        self.end()
    }
}

/// Every case and finding in the folder can be read.
fn assert_whole(bench: &Bench) {
    for (folder, ending) in [("", ".json"), ("findings", ".json")] {
        for name in files(bench, folder) {
            assert!(name.ends_with(ending), "{name}");
            let text = bench.read(&format!("shared/{folder}/{name}"));
            assert!(
                tcprove::fuzz::CaseFile::parse(&text).is_ok(),
                "{name}: {text}"
            );
        }
    }
}

/// The finding of the planted crash in a member's report.
fn crash(report: &Value) -> &Value {
    let findings = report["findings"].as_array().unwrap();
    let mut crashes = findings.iter().filter(|one| one["kind"] == "crash");
    crashes
        .next()
        .unwrap_or_else(|| panic!("no crash in {report}"))
}

/// The claims of a finding.
fn claims(bench: &Bench, id: &str) -> usize {
    let all = files(bench, "claims");
    let of_finding =
        |name: &&String| name.starts_with(&format!("{id}.")) && name.ends_with(".claim");
    all.iter().filter(of_finding).count()
}

#[test]
fn a_finding_is_settled_once_and_told_by_every_member_that_meets_it() {
    let bench = Bench::new();
    let one = member(&bench, 1, "format-string", &LONG);
    until("the first member has settled it", || {
        !files(&bench, "findings").is_empty()
    });
    let two = member(&bench, 2, "format-string", &LONG);
    let id = files(&bench, "findings")[0].replace(".json", "");
    let case = format!("tcprove-fuzz/2-of-3/findings/{id}/case.json");
    until("the second member meets it", || {
        two.bench.path(&case).exists()
    });
    let (two, second, second_bench) = two.stop();
    let (one, first, first_bench) = one.stop();
    let (settled, copied) = (crash(&first), crash(&second));
    assert_eq!(settled["id"], copied["id"]);
    assert_eq!(settled["found_by"], Value::Null, "{}", one.all());
    let by = copied["found_by"].as_str().unwrap();
    assert!(by.starts_with("1of3-"), "{by}");
    assert!(two.stdout.contains("asked by 1of3-"), "{}", two.all());
    assert_eq!(copied["confirmed"], "5/5");
    let id = settled["id"].as_str().unwrap();
    assert_eq!(claims(&bench, id), 1);
    // Each has the reproducer in a folder of its own.
    for (number, of) in [(1, &first_bench), (2, &second_bench)] {
        let case = format!("tcprove-fuzz/{number}-of-3/findings/{id}/case.json");
        assert!(of.path(&case).exists(), "{case}");
    }
    assert_whole(&bench);
    let report = |of: &Bench| of.path("fuzz.json").display().to_string();
    let words = [&report(&first_bench), &report(&second_bench)];
    let merged = bench.run(["merge", words[0], words[1], "--json", "all.json"]);
    assert_eq!(merged.code, Some(1), "{}", merged.all());
    let all = bench.json("all.json");
    let sum = |name: &str| first[name].as_u64().unwrap() + second[name].as_u64().unwrap();
    assert_eq!(all["executions"], sum("executions"));
    assert_eq!(crash(&all)["found_by"], Value::Null);
    assert!(
        merged.stdout.contains("2 of 3 campaigns"),
        "{}",
        merged.all()
    );
    let twice = bench.run(["merge", words[0], words[0]]);
    assert_eq!(twice.code, Some(2), "{}", twice.all());
    assert!(twice.stderr.contains("is there twice"), "{}", twice.all());
}

#[test]
fn members_take_in_the_cases_of_others() {
    let bench = Bench::new();
    let one = member(&bench, 1, "", &LONG);
    until("a corpus", || files(&bench, "").len() > 3);
    one.stop();
    let of_one = files(&bench, "");
    // The second runs what is there, and none of its own.
    let few = of_one.len().to_string();
    let (two, report, _) = member(&bench, 2, "", &["--cases", &few]).end();
    assert_eq!(two.code, Some(0), "{}", two.all());
    assert_eq!(report["executions"], of_one.len());
    assert!(report["corpus"].as_u64().unwrap() > 2, "{}", two.all());
    assert_eq!(files(&bench, ""), of_one);
    assert_whole(&bench);
}

#[test]
fn a_killed_member_loses_nothing_and_its_finding_is_settled_by_another() {
    let bench = Bench::new();
    let one = member(&bench, 1, "format-string", &LONG);
    // It is killed while it settles its first finding.
    until("a claim", || !files(&bench, "claims").is_empty());
    one.running.signal(Signal::KILL);
    let announced = files(&bench, "");
    one.running.end();
    assert_whole(&bench);
    // As if it had been killed while it was writing.
    std::fs::write(bench.path("shared/.tmpHALF"), "{\"schema\":\"tcprove-c").unwrap();
    let open = files(&bench, "claims");
    let id = open[0].split('.').next().unwrap().to_owned();
    let two = member(&bench, 2, "format-string", &LONG);
    until("the second member has settled it", || {
        files(&bench, "findings").contains(&format!("{id}.json"))
    });
    let (two, told, _) = two.stop();
    let all = files(&bench, "");
    assert!(announced.iter().all(|name| all.contains(name)));
    assert_whole(&bench);
    assert!(claims(&bench, &id) <= 2, "{:?}", files(&bench, "claims"));
    let findings = told["findings"].as_array().unwrap();
    let ids: Vec<_> = findings.iter().map(|one| &one["id"]).collect();
    assert!(
        ids.iter().any(|one| **one == id.as_str()),
        "{ids:?}, {}",
        two.all()
    );
    let notes = told["notes"].to_string();
    assert!(!notes.contains("the shared corpus"), "{notes}");
}

/// Whoever comes later, on the same folder, meets a finding again and does not settle it. The files of findings are case files.
#[test]
fn a_resumed_fleet_knows_its_findings_and_they_can_be_replayed() {
    let bench = Bench::new();
    let (first, report, _) = member(&bench, 1, "format-string", &FIRST).end();
    assert_eq!(first.code, Some(1), "{}", first.all());
    let id = crash(&report)["id"].as_str().unwrap().to_owned();
    let (later, report, _) = member(&bench, 1, "format-string", &FIRST).end();
    assert_eq!(later.code, Some(1), "{}", later.all());
    assert_eq!(crash(&report)["id"], id.as_str());
    assert!(crash(&report)["found_by"].is_string(), "{}", later.all());
    assert_eq!(claims(&bench, &id), 1);
    let file = format!("shared/findings/{id}.json");
    let replayed = bench.run([
        "replay",
        &file,
        "--embedded",
        "--param",
        "fault=format-string",
    ]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.all());
    assert!(replayed.stdout.contains("reproduced"), "{}", replayed.all());
    // A replay of the whole folder reads every JSON file in it.
    let claims = files(&bench, "claims");
    assert!(claims.iter().all(|name| !name.ends_with(".json")));
}

#[test]
fn a_folder_that_cannot_be_shared_is_told() {
    let bench = Bench::new();
    bench.write("shared", "a file");
    let (refused, ..) = member(&bench, 1, "", &["--duration", "5s"]).end();
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(refused.stderr.contains("--corpus"), "{}", refused.all());
    let often = bench.run(["fuzz", "--embedded", "--sync", "1ms"]);
    assert_eq!(often.code, Some(2), "{}", often.all());
}

#[test]
fn a_fleet_without_a_folder_is_told() {
    let bench = Bench::new();
    for part in [&[][..], &["--part", "1/3"]] {
        let words = [
            &["fuzz", "--embedded", "--sync", "30s", "--json", "no.json"],
            part,
        ]
        .concat();
        let ended = bench.run(words);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains("add --corpus DIR"), "{}", ended.all());
        assert_eq!(bench.json("no.json")["error"]["code"], "usage");
    }
}

#[test]
fn corpora_are_merged_into_the_fewest_cases_that_reach_the_same() {
    let bench = Bench::new();
    for part in ["1/2", "2/2"] {
        let json = format!("{}.json", &part[..1]);
        let folder = format!("corpus-{}", &part[..1]);
        let ended = bench.run([
            "fuzz",
            "--embedded",
            "--feedback",
            "shape",
            "--jobs",
            "1",
            "--cases",
            "200",
            "--seed",
            "7",
            "--no-progress",
            "--part",
            part,
            "--json",
            &json,
            "--corpus",
            &folder,
        ]);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert!(ended.stderr.contains("shares nothing"), "{}", ended.all());
    }
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(bench.path(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let merge = |more: &[&str]| {
        bench.run([&["merge", "1.json", "2.json", "--json", "all.json"], more].concat())
    };
    let from = ["--corpus-from", "corpus-1", "--corpus-from", "corpus-2"];
    let merged = merge(&[&from[..], &["--corpus", "merged"]].concat());
    assert_eq!(merged.code, Some(0), "{}", merged.all());
    let all: BTreeSet<_> = names("corpus-1")
        .union(&names("corpus-2"))
        .cloned()
        .collect();
    let few = names("merged");
    assert!(
        few.is_subset(&all) && few.len() < all.len(),
        "{few:?} {all:?}"
    );
    let replies = |report: &Value, names: &BTreeSet<String>| -> BTreeSet<u64> {
        let kept = report["kept"].as_object().unwrap();
        let of = kept.iter().filter(|(name, _)| names.contains(*name));
        let replies = of.flat_map(|(_, case)| case["replies"].as_array().cloned());
        replies.flatten().map(|one| one.as_u64().unwrap()).collect()
    };
    let report = bench.json("all.json");
    assert_eq!(replies(&report, &few), replies(&report, &all));
    assert!(replies(&report, &all).len() > 3, "{report:#}");
    assert_eq!(report["corpus"], few.len());
    assert!(
        merged.stdout.contains("the merged corpus in merged has"),
        "{}",
        merged.all()
    );

    std::fs::create_dir(bench.path("empty")).unwrap();
    let lacking = merge(&["--corpus-from", "empty", "--corpus", "other"]);
    assert_eq!(lacking.code, Some(2), "{}", lacking.all());
    assert!(
        lacking.stderr.contains("no case in the folders reaches"),
        "{}",
        lacking.all()
    );
    let again = merge(&[&from[..], &["--corpus", "merged"]].concat());
    assert!(
        again.stderr.contains("it has files already"),
        "{}",
        again.all()
    );
}
