//! Made-up campaigns: merged in any order and any grouping they are the same, and parts of one campaign are the whole.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{StoredReport, merged, union};
use crate::fuzz::plan::MemberNumber;
use crate::fuzz::{
    BlockCount, Case, Confirmed, Coverage, Finding, FindingKind, FuzzResult, KeptCase, MemberRun,
    SourceCount, Symptom, TimeSpent,
};
use crate::merge::tests::header;
use crate::report::{Body, FuzzReport, Header, Report, json as as_json, junit, markdown, terminal};

fn finding(number: usize, bytes: usize, seen: u32) -> Finding {
    let kind = FindingKind::ALL[number % FindingKind::ALL.len()];
    let data = vec![b'a'; bytes];
    Finding {
        id: format!("{}-{number}", kind.name()),
        symptom: Symptom {
            kind,
            title: format!("says \u{1b}[31m<b> {number}"),
            key: format!("k{number}"),
            evidence: BTreeMap::from([("signal".to_owned(), json!("SIGABRT"))]),
        },
        confirmed: Confirmed { seen, of: 5 },
        again: Confirmed { seen: 3, of: 3 },
        rate: None,
        unsettled: (seen == 1).then(|| "there was no time".into()),
        found_by: (seen == 2).then(|| "2of4-n1-7-0".into()),
        turn: None,
        steps: 1,
        bytes,
        reproducer: Some("findings/x".into()),
        reproduce: "tcprove replay findings/x".into(),
        first_seen_s: bytes as f64 / 4.0,
        minimal: bytes < 3,
        waived: None,
        cases: vec![Case::sending(data)],
    }
}

/// A campaign. All its figures are multiples of a quarter, which add up without rounding.
fn campaign(number: usize, findings: Vec<Finding>) -> FuzzResult {
    let quarter = number as f64 / 4.0;
    FuzzResult {
        members: vec![run(number)],
        executions: 100 * number as u64,
        executions_per_s: quarter,
        coverage: Coverage {
            feedback: ["breakpoints", "shape"][number % 2].into(),
            chosen: format!("because of {}", number % 3),
            edges: number * 7 % 5,
            blocks: Some(BlockCount {
                reached: number % 4,
                all: 10,
            }),
            sources: vec![SourceCount {
                source: "breakpoints".into(),
                unit: "blocks".into(),
                reached: number % 4,
                all: Some(10),
            }],
            ..Coverage::default()
        },
        findings,
        restarts: number as u64,
        corpus: number * 3 % 7,
        kept: kept(number),
        jobs: 2,
        canaries: number as u64,
        time: TimeSpent {
            wall_s: quarter,
            starting_s: quarter,
            cases_s: 1.0,
            looking_s: 0.25,
            settling_s: quarter,
        },
        notes: vec![format!("note {}", number % 2)],
    }
}

/// Cases of a campaign: some are its own, some those of others too, with other places.
fn kept(number: usize) -> BTreeMap<String, KeptCase> {
    let case = |place: usize| {
        let replies = [u64::MAX - (place as u64), number as u64].into();
        let places = [number as u32, 7 * place as u32].into();
        let kept = KeptCase {
            bytes: 10 + place,
            places: [("basic blocks".to_owned(), places)].into(),
            replies,
        };
        (format!("{:04}.json", place % 3 + number / 2), kept)
    };
    (0..number % 4).map(case).collect()
}

fn run(number: usize) -> MemberRun {
    MemberRun {
        member: Some(MemberNumber {
            index: number + 1,
            count: 8,
        }),
        run_id: format!("20270301T000000Z-{number:04}"),
    }
}

fn report(result: FuzzResult, plan: Value, command: &'static str) -> Report {
    let number = plan["member"]["index"].as_u64().unwrap_or(1) as usize - 1;
    let header = Header {
        run_id: run(number).run_id,
        ..header(command, plan)
    };
    Report::new(header, Ok(Body::Fuzz(Box::new(FuzzReport { result }))))
}

/// The report of a campaign as it is written, and read again.
fn stored(number: usize, plan: &Value) -> StoredReport {
    let findings = vec![finding(number, 2, 5), finding(0, 1 + number, 5)];
    let mut result = campaign(number, findings);
    result.members.clear();
    let mut plan = plan.clone();
    plan["member"] = json!({ "index": number + 1, "count": 8 });
    plan["jobs"] = json!(number);
    let text = as_json::render(&report(result, plan, "fuzz"));
    StoredReport::of_json(Path::new(&format!("{number}.json")), &text).unwrap()
}

fn text(result: &FuzzResult) -> String {
    serde_json::to_string_pretty(result).unwrap()
}

/// What each of several campaigns has found: the number of the finding, the bytes of its case, and by how many servers it was
/// seen.
fn found() -> impl Strategy<Value = Vec<Vec<(usize, usize, u32)>>> {
    let one = (0_usize..6, 1_usize..6, 0_u32..6);
    prop::collection::vec(prop::collection::vec(one, 0..6), 3..7)
}

fn campaigns(found: &[Vec<(usize, usize, u32)>]) -> Vec<FuzzResult> {
    let campaign = |(number, found): (usize, &Vec<(usize, usize, u32)>)| {
        // A campaign has a finding once.
        let once: BTreeMap<usize, Finding> = found
            .iter()
            .map(|(id, bytes, seen)| (*id, finding(*id, *bytes, *seen)))
            .collect();
        campaign(number, once.into_values().collect())
    };
    found.iter().enumerate().map(campaign).collect()
}

proptest! {
    #[test]
    fn the_order_does_not_matter(found in found(), turn in 0_usize..6) {
        let all = campaigns(&found);
        let whole = all.iter().cloned().reduce(union::of).unwrap();
        let mut turned = all;
        let count = turned.len();
        turned.rotate_left(turn % count);
        if turn % 2 == 1 {
            turned.reverse();
        }
        prop_assert_eq!(text(&turned.into_iter().reduce(union::of).unwrap()), text(&whole));
    }

    #[test]
    fn the_grouping_does_not_matter(found in found(), at in 1_usize..6) {
        let all = campaigns(&found);
        let whole = all.iter().cloned().reduce(union::of).unwrap();
        let (first, last) = all.split_at(at.min(all.len() - 1));
        let merge = |some: &[FuzzResult]| some.iter().cloned().reduce(union::of).unwrap();
        prop_assert_eq!(text(&union::of(merge(first), merge(last))), text(&whole));
    }

    /// However the findings of one campaign are split, the parts have the same ones. PROPTEST_CASES=10000 tries more splits.
    #[test]
    fn parts_of_the_findings_are_all_findings(
        kinds in prop::collection::btree_map(0_usize..40, (1_usize..6, 0_u32..6), 0..20),
        places in prop::collection::vec(0_usize..6, 40),
    ) {
        let all: Vec<Finding> = kinds
            .iter()
            .map(|(number, (bytes, seen))| finding(*number, *bytes, *seen))
            .collect();
        let mut whole = campaign(0, all.clone());
        whole.sort();
        let parts = (0..6).map(|part| {
            let of_part = all.iter().zip(&places).filter(|(_, place)| **place == part);
            campaign(part, of_part.map(|(finding, _)| finding.clone()).collect())
        });
        let merged = parts.reduce(union::of).unwrap();
        let shown = |result: &FuzzResult| serde_json::to_string_pretty(&result.findings).unwrap();
        prop_assert_eq!(shown(&merged), shown(&whole));
        prop_assert_eq!(merged.executions, (0..6).map(|part| 100 * part).sum::<u64>());
    }
}

#[test]
fn the_better_finding_is_kept_and_rates_are_added() {
    let both = |one: Finding, other: Finding| {
        let mut all = union::of(campaign(0, vec![one]), campaign(1, vec![other])).findings;
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    let told = |of: &Finding| (of.confirmed.to_string(), of.bytes, of.rate.is_some());
    // Two that are certain: the shorter one is kept.
    let added = both(finding(0, 4, 5), finding(0, 2, 4));
    assert_eq!(told(&added), ("9/10".into(), 2, true));
    assert!(
        (added.first_seen_s - 0.5).abs() < 1e-9,
        "the first sighting"
    );
    // What was not shown again does not make a certain bug intermittent, however short it is.
    let sure = both(finding(0, 4, 5), finding(0, 1, 0));
    assert_eq!(told(&sure), ("5/5".into(), 4, false));
    // A measured one that did not recur each time says nothing about one that did.
    let leak = FindingKind::ALL
        .iter()
        .position(|kind| kind.is_measured())
        .unwrap();
    let sure = both(finding(leak, 1, 4), finding(leak, 2, 5));
    assert_eq!(told(&sure), ("5/5".into(), 2, false));
    // The copy of another member's finding is no second confirmation.
    let copied = Finding {
        found_by: Some("1of4".into()),
        ..finding(0, 1, 5)
    };
    let once = both(copied, finding(0, 4, 5));
    assert_eq!(
        (told(&once), once.found_by),
        (("5/5".into(), 4, false), None)
    );
}

#[test]
fn reports_are_read_merged_and_merged_again_in_every_format() {
    let plan = json!({ "talk": "line", "server": { "name": "mine" } });
    let all = || {
        (0..4)
            .map(|number| stored(number, &plan))
            .collect::<Vec<_>>()
    };
    let whole = merged(all()).unwrap();
    let Body::Fuzz(fuzz) = &whole.body else {
        panic!("no campaign")
    };
    assert_eq!(fuzz.result.executions, 600);
    assert_eq!(fuzz.result.findings.len(), 4);
    let told = terminal::render(&whole, None);
    assert!(told.contains("4 of 8 campaigns"), "{told}");
    assert!(told.contains("not in the reports"), "{told}");
    assert!(markdown::render(&whole).contains("crash-0"));
    assert!(junit::render(&whole).contains("crash-0"));
    let text = as_json::render(&whole);
    let first_two = merged(all().into_iter().take(2).collect()).unwrap();
    let first_two = as_json::render(&first_two);
    let mut rest: Vec<_> = all().into_iter().skip(2).collect();
    rest.push(StoredReport::of_json(Path::new("two.json"), &first_two).unwrap());
    assert_eq!(as_json::render(&merged(rest).unwrap()), text);
}

#[test]
fn what_does_not_belong_together_is_told() {
    let plan = json!({ "talk": "line", "server": { "name": "mine" } });
    let refused = |stored: Vec<StoredReport>| merged(stored).unwrap_err().to_string();
    let told = refused(vec![stored(0, &plan), stored(1, &plan), stored(0, &plan)]);
    assert!(
        told.contains("campaign 1 of 8 is there twice: 0.json"),
        "{told}"
    );
    let other = json!({ "talk": "line", "server": { "name": "yours" } });
    let told = refused(vec![stored(0, &plan), stored(1, &other)]);
    assert!(
        told.contains("server.name: \"mine\", and \"yours\""),
        "{told}"
    );
    let mut rebuilt = stored(1, &plan);
    rebuilt.json["coverage"]["blocks"]["all"] = json!(11);
    let told = refused(vec![stored(0, &plan), rebuilt]);
    assert!(told.contains("blocks of the server: 10, and 11"), "{told}");
    let mut more = stored(1, &plan);
    more.head.plan["member"]["count"] = json!(9);
    let told = refused(vec![stored(0, &plan), more]);
    assert!(told.contains("members: 8, and 9"), "{told}");
    let battery = report(FuzzResult::default(), plan.clone(), "check");
    let text = as_json::render(&battery);
    let battery = StoredReport::of_json(Path::new("check.json"), &text).unwrap();
    let told = refused(vec![stored(0, &plan), battery]);
    assert!(told.contains("`tcprove check`"), "{told}");
    let other = text.replace(env!("CARGO_PKG_VERSION"), "0.0.1");
    let told = StoredReport::of_json(Path::new("x.json"), &other)
        .err()
        .unwrap();
    assert!(told.contains("written by tcprove 0.0.1"), "{told}");
}

#[test]
fn an_interrupted_campaign_counts_and_is_named() {
    let plan = json!({ "talk": "line" });
    let mut one = stored(0, &plan);
    one.head.interrupted = true;
    let whole = merged(vec![one, stored(1, &plan)]).unwrap();
    let told = terminal::render(&whole, None);
    assert!(told.contains("campaign 1 of 8 was interrupted"), "{told}");
    assert!(!whole.header.interrupted);
}
