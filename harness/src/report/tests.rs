//! Campaigns and replays in every format.

use super::sample::{campaign, finding, replay};
use super::{
    ExitCode, FuzzReport, ReplayReport, Report, RunVerdict, json, junit, markdown, terminal,
};
use crate::fuzz::FindingKind;
use crate::report::OnInconclusive;

/// The terminal's text without its colours.
fn plain(report: &Report, columns: Option<usize>) -> String {
    let text = terminal::render(report, columns);
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn the_verdict_goes_by_what_is_sure() {
    let verdict = |findings| campaign(findings).verdict;
    assert_eq!(verdict(vec![]), RunVerdict::Pass);
    assert_eq!(
        verdict(vec![finding(FindingKind::Hang, 5, None)]),
        RunVerdict::Fail
    );
    assert_eq!(
        verdict(vec![finding(FindingKind::Crash, 0, None)]),
        RunVerdict::Fail,
        "an end is a fact"
    );
    assert_eq!(
        verdict(vec![finding(FindingKind::Hang, 5, Some("known"))]),
        RunVerdict::Pass
    );
    assert_eq!(
        verdict(vec![finding(FindingKind::Hang, 0, None)]),
        RunVerdict::Inconclusive
    );
    assert_eq!(replay().verdict, RunVerdict::Fail);

    let mut report = campaign(vec![]);
    report.interrupted = true;
    report.fuzzed(FuzzReport::default());
    assert_eq!(
        report.exit_code(OnInconclusive::Exit5),
        ExitCode::Interrupted
    );
    report.interrupted = false;
    assert_eq!(
        report.exit_code(OnInconclusive::Exit5),
        ExitCode::Nothing,
        "no case was run"
    );
    report.replayed(ReplayReport::default());
    assert_eq!(report.exit_code(OnInconclusive::Exit5), ExitCode::Nothing);
}

#[test]
fn a_terminal_says_the_answer_first_and_the_case_in_words() {
    let findings = vec![
        finding(FindingKind::Crash, 5, None),
        finding(FindingKind::Leak, 5, Some("issue 7")),
        finding(FindingKind::Hang, 0, None),
    ];
    let text = plain(&campaign(findings), None);
    let first = "1 finding in 12.3 k cases (1 waived, 1 not reproduced)\n";
    assert!(text.starts_with(first), "{text}");
    let one = r#"
crash crash-1a2b
  seen        says \x1b[31m<script>|`x`\xe2\x80\xae
  confirmed   5/5 on fresh servers, first after 3.2 s
  size        2 steps, 68.4 KiB
  case        send "ECHO \xff" + "A" x 70000, cut at 3
              reset (RST)
  evidence    signal = SIGSEGV
  folder      findings/x
  reproduce   tcprove replay findings/x
"#;
    assert!(text.contains(one), "{text}");
    assert!(text.contains("waived      issue 7"), "{text}");
    assert!(text.contains("a smaller case may exist"), "{text}");
    let end = "1234 cases/s, 3 server starts, 45 health checks, 12 cases in the corpus, \
               2 servers in parallel, feedback shape: 120 distinct observations\n";
    assert!(text.contains(end), "{text}");
    assert!(text.contains("FAIL demo: 1 finding in"), "{text}");
    let narrow = plain(
        &campaign(vec![finding(FindingKind::Crash, 5, None)]),
        Some(60),
    );
    assert!(
        narrow.lines().all(|line| line.chars().count() < 60),
        "{narrow}"
    );
}

#[test]
fn a_replay_is_a_line_a_finding() {
    let text = plain(&replay(), None);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("  reproduced crash-1"), "{text}");
    assert!(lines[1].starts_with("  gone       crash-2"), "{text}");
    assert!(
        lines[2].starts_with("  unclear    findings//case.json"),
        "{text}"
    );
    assert!(lines[2].ends_with("the server does not start"), "{text}");
    assert!(
        lines[3].starts_with("FAIL : 1 of 3 findings still there, 1 could not be judged"),
        "{text}"
    );
}

#[test]
fn the_json_is_the_contracts() {
    let text = json::render(&campaign(vec![finding(FindingKind::Crash, 5, None)]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["executions"], 12_345);
    assert_eq!(json["executions_per_s"], 1_234.5);
    assert_eq!(json["coverage"]["feedback"], "shape");
    assert_eq!(json["coverage"]["edges"], 120);
    let one = &json["findings"][0];
    for (key, value) in [
        ("id", "crash-1a2b"),
        ("kind", "crash"),
        ("confirmed", "5/5"),
        ("reproducer", "findings/x"),
        ("reproduce", "tcprove replay findings/x"),
    ] {
        assert_eq!(one[key], value);
    }
    assert_eq!((&one["steps"], &one["bytes"]), (&2.into(), &70_006.into()));
    assert_eq!(one["first_seen_s"], 3.25);
    let json: serde_json::Value = serde_json::from_str(&json::render(&replay())).unwrap();
    assert_eq!(json["items"][0]["reproduced"], true);
    assert_eq!(json["items"][1]["seen"], "0/3");
}

#[test]
fn junit_tells_failures_from_what_is_skipped() {
    let findings = vec![
        finding(FindingKind::Crash, 5, None),
        finding(FindingKind::Leak, 5, Some("issue 7")),
        finding(FindingKind::Hang, 0, None),
    ];
    let text = junit::render(&campaign(findings));
    assert_eq!(text.matches("<testcase ").count(), 3, "{text}");
    assert_eq!(text.matches("<failure ").count(), 1, "{text}");
    assert_eq!(text.matches("<skipped ").count(), 2, "{text}");
    let text = junit::render(&campaign(vec![]));
    assert_eq!(text.matches("<testcase ").count(), 1, "{text}");
    assert!(!text.contains("<skipped"), "{text}");
    let text = junit::render(&replay());
    assert_eq!(text.matches("<testcase ").count(), 3, "{text}");
    assert_eq!(
        (
            text.matches("<failure ").count(),
            text.matches("<skipped ").count()
        ),
        (1, 1),
        "{text}"
    );
}

#[test]
fn markdown_is_a_table_and_how_to_see_it_again() {
    let text = markdown::render(&campaign(vec![finding(FindingKind::Crash, 5, None)]));
    assert!(text.contains("**1 finding in 12.3 k cases**"), "{text}");
    let row =
        "| crash-1a2b | crash | 5/5 | 2 steps, 68.4 KiB | says \\x1b\\[31m&lt;script&gt;\\|\\`x\\`";
    assert!(text.contains(row), "{text}");
    assert!(
        text.contains("- reproduce: ` tcprove replay findings/x `"),
        "{text}"
    );
    let text = markdown::render(&replay());
    assert!(text.contains("| crash-2 | crash | gone | 0/3 |"), "{text}");
}

#[test]
fn nothing_hostile_comes_through() {
    let campaign = campaign(vec![
        finding(FindingKind::Crash, 5, None),
        finding(FindingKind::Hang, 0, Some("\u{9b}x")),
    ]);
    for report in [campaign, replay()] {
        for text in [
            json::render(&report),
            junit::render(&report),
            markdown::render(&report),
            plain(&report, None),
        ] {
            let bad = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
            assert!(!text.contains(bad), "{text:?}");
        }
        assert!(!markdown::render(&report).contains("<script>"));
        assert!(!junit::render(&report).contains("<script>"));
    }
}
