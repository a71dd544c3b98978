//! `--coverage` and the page of a campaign: which functions and lines were reached, and which never.

use std::collections::BTreeMap;
use std::process::Command;

use super::{Fuzzed, fuzz, fuzz_lines};
use crate::support::Bench;
use crate::support::battery::{data, have};
use crate::support::skip::{is_slow, may_lack};

/// The lines of each file of an lcov file, with how often they were reached.
fn lines(lcov: &str) -> BTreeMap<String, BTreeMap<u32, u32>> {
    let mut files = BTreeMap::new();
    let mut current: &mut BTreeMap<u32, u32> = &mut BTreeMap::new();
    for line in lcov.lines() {
        if let Some(file) = line.strip_prefix("SF:") {
            current = files.entry(file.to_owned()).or_default();
        } else if let Some((number, count)) = line
            .strip_prefix("DA:")
            .and_then(|rest| rest.split_once(','))
        {
            current.insert(number.parse().unwrap(), count.parse().unwrap());
        }
    }
    files
}

/// A campaign on the small C server. `None` without a compiler, or where there are no breakpoints.
fn campaign(bench: &Bench, flags: &[&str], more: &[&str]) -> Option<Fuzzed> {
    let words = ["--cases", "150", "--jobs", "1", "--html", "page.html"];
    fuzz_lines(bench, flags, &[&words[..], more].concat())
}

#[test]
fn lines_and_functions_of_a_small_server() {
    let bench = Bench::new();
    // It survives the resets of the campaign.
    let flags = ["-DMAY_ARM=0"];
    let Some(fuzzed) = campaign(&bench, &flags, &["--coverage", "lcov=c.info"]) else {
        return;
    };
    let told = || fuzzed.ended.all();
    assert_eq!(fuzzed.ended.code, Some(0), "{}", told());
    let lcov = bench.read("c.info");
    let source = std::fs::read_to_string(data("injection/lines.c")).unwrap();
    let files = lines(&lcov);
    let (_, lines) = files
        .iter()
        .find(|(path, _)| path.ends_with("lines.c"))
        .expect("a record");
    let at = |text: &str| {
        let number = source.lines().position(|line| line.contains(text)).unwrap() + 1;
        lines.get(&u32::try_from(number).unwrap()).copied()
    };
    assert_eq!(at("recv(client, line + length"), Some(1), "{lcov}");
    assert_eq!(at("nobody calls this"), Some(0), "{lcov}");
    assert_eq!(at("perror(\"recv\")"), Some(0), "{lcov}");
    assert!(
        lcov.contains("FNDA:1,serve\n") && lcov.contains("FNDA:0,never_called\n"),
        "{lcov}"
    );
    let coverage = &fuzzed.report["coverage"];
    let (reached, all) = (
        &coverage["code"]["lines"]["reached"],
        &coverage["code"]["lines"]["all"],
    );
    assert!(
        reached.as_u64().unwrap() > 15 && reached.as_u64() < all.as_u64(),
        "{coverage:#}"
    );
    let growth = coverage["over_time"].as_array().unwrap();
    assert_eq!(
        growth.last().unwrap()["blocks"],
        coverage["blocks"]["reached"],
        "{coverage:#}"
    );
    let page = bench.read("page.html");
    for text in [
        "Blocks reached over time",
        "never_called",
        "lines.c",
        "class=\"miss\"",
        "class=\"hit\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("src="));
    if have("lcov") {
        let words: [&[&str]; 2] = [
            &["lcov", "--summary", "c.info"],
            &["genhtml", "c.info", "--output-directory", "details"],
        ];
        for words in words {
            let mut command = Command::new(words[0]);
            let output = command.args(&words[1..]).current_dir(bench.path(""));
            let output = output.output().unwrap();
            assert!(output.status.success(), "{words:?}: {output:?}");
        }
    }
}

/// A campaign that breakpoints do not guide: they count only.
#[test]
fn a_campaign_without_feedback_can_be_watched() {
    let bench = Bench::new();
    let flags = ["-DMAY_ARM=0"];
    let more = ["--coverage", "lcov=c.info", "--feedback", "none"];
    let Some(fuzzed) = campaign(&bench, &flags, &more) else {
        return;
    };
    let told = || fuzzed.ended.all();
    assert_eq!(fuzzed.ended.code, Some(0), "{}", told());
    let coverage = &fuzzed.report["coverage"];
    assert_eq!(coverage["feedback"], "none", "{coverage:#}");
    let growth = coverage["over_time"].as_array().unwrap();
    let blocks = |at: &serde_json::Value| at["blocks"].as_u64().unwrap();
    let (first, last) = (&growth[0], &growth[growth.len() - 1]);
    assert!(blocks(first) < blocks(last), "{coverage:#}");
    assert_eq!(last["blocks"], coverage["blocks"]["reached"]);
    assert!(
        bench.read("c.info").contains("FNDA:1,serve\n"),
        "{}",
        told()
    );
}

#[test]
fn without_debug_information_functions_are_counted_in_blocks() {
    let bench = Bench::new();
    let Some(fuzzed) = campaign(&bench, &["-g0"], &["--coverage", "lcov", "--out", "out"]) else {
        return;
    };
    assert_eq!(
        bench.read("out/coverage.info"),
        "",
        "{}",
        fuzzed.ended.all()
    );
    let code = &fuzzed.report["coverage"]["code"];
    assert_eq!(
        code["without_lines"].as_array().unwrap().len(),
        1,
        "{code:#}"
    );
    assert!(
        code["functions"]["reached"].as_u64().unwrap() >= 2,
        "{code:#}"
    );
    let page = bench.read("page.html");
    assert!(page.contains("Functions without lines") && page.contains("never_called"));
    assert!(page.contains(" blocks</span>"));
}

#[test]
fn only_breakpoints_see_lines() {
    let bench = Bench::new();
    let words = [
        "fuzz",
        "--embedded",
        "--coverage",
        "lcov",
        "--feedback",
        "python",
    ];
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.all().contains("needs breakpoints"), "{}", ended.all());
    let ended = bench.run(["fuzz", "--embedded", "--coverage", "html"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
}

/// How much of the reference server's protocols a campaign reaches.
#[test]
fn lines_of_the_reference_server() {
    if !is_slow("minutes for a big program") {
        return;
    }
    let bench = Bench::new();
    let words = [
        "--embedded",
        "--duration",
        "90s",
        "--coverage",
        "lcov=c.info",
    ];
    let fuzzed = fuzz(&bench, &words);
    if fuzzed.ended.code == Some(3) {
        return may_lack("a processor with breakpoints");
    }
    let files = lines(&bench.read("c.info"));
    let service = files
        .iter()
        .filter(|(path, _)| path.contains("server/src/service/"));
    let mut seen = 0;
    for (path, lines) in service {
        let reached = lines.values().filter(|count| **count > 0).count();
        println!("{path}: {reached} of {} lines", lines.len());
        seen += reached;
    }
    assert!(seen > 20, "{}", fuzzed.ended.all());
}
