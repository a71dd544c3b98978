//! Verdicts of campaigns and replays, their JSON, and what no format may let through.

use super::sample::{
    campaign, checked, failed_to_start, finding, gated, gated_with_behaviour, header, history,
    loaded, outcome, replay, report, swept,
};
use super::{
    Body, CheckReport, ExitCode, Header, ReplayReport, Report, RunError, RunVerdict, json, junit,
    markdown, sarif, terminal,
};
use crate::check::Verdict;
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
fn failures_are_shown_before_warnings_and_named_at_the_end() {
    let outcomes = vec![
        outcome("keepalive", Verdict::Warn),
        outcome("idle-cpu", Verdict::Fail),
        outcome("zero-length", Verdict::Fail),
    ];
    let battery = CheckReport::new(outcomes, Vec::new(), None);
    let text = plain(&report("check", Ok(Body::Check(battery))), None);
    let at = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("{part} in {text}"))
    };
    assert!(at("\nfail zero-length") < at("\nwarn keepalive"), "{text}");
    assert!(
        at("\nfailed: idle-cpu, zero-length\n") < at("\nFAIL "),
        "{text}"
    );
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

    let code = |interrupted, body| {
        let header = Header {
            interrupted,
            ..header("fuzz")
        };
        Report::new(header, Ok(body)).exit_code(OnInconclusive::Exit5)
    };
    let nothing = || Body::Fuzz(Box::default());
    assert_eq!(code(true, nothing()), ExitCode::Interrupted);
    assert_eq!(code(false, nothing()), ExitCode::Nothing, "no case was run");
    let nothing = Body::Replay(ReplayReport::default());
    assert_eq!(code(false, nothing), ExitCode::Nothing);
}

#[test]
fn an_error_decides_the_exit_code_but_for_an_interrupt() {
    let code = |error: RunError, interrupted| {
        let header = Header {
            interrupted,
            ..header("check")
        };
        let report = Report::new(header, Err(error));
        assert_eq!(report.verdict, RunVerdict::Error);
        report.exit_code(OnInconclusive::Pass)
    };
    assert_eq!(code(RunError::usage("x"), false), ExitCode::Usage);
    assert_eq!(code(RunError::target("x"), false), ExitCode::Target);
    assert_eq!(code(RunError::target("x"), true), ExitCode::Interrupted);
    assert_eq!(code(RunError::internal("x"), true), ExitCode::Bug);
}

#[test]
fn lines_keep_within_the_terminal() {
    let gate = |gate| report("gate", Ok(Body::Gate(Box::new(gate))));
    let reports = [
        campaign(vec![finding(FindingKind::Crash, 5, None)]),
        checked(),
        failed_to_start(),
        loaded(true),
        loaded(false),
        swept(),
        gate(gated(4.0, 1e-3, 2.0)),
        gate(gated_with_behaviour()),
        history(),
        replay(),
    ];
    // A command is not wrapped, so that it can be copied.
    let is_command = |line: &str| {
        ["tcprove ", "printf "]
            .iter()
            .any(|word| line.contains(word))
    };
    let mut wrong = Vec::new();
    for report in &reports {
        for columns in [40, 60, 80, 140] {
            let text = plain(report, Some(columns));
            let too_long = text
                .lines()
                .filter(|line| line.chars().count() >= columns && !is_command(line));
            wrong.extend(
                too_long.map(|line| format!("{}, {columns}: {line}", report.header.command)),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
fn nothing_hostile_comes_through() {
    let campaign = campaign(vec![
        finding(FindingKind::Crash, 5, None),
        finding(FindingKind::Hang, 0, Some("\u{9b}x")),
    ]);
    for report in [campaign, replay()] {
        for text in [
            json::render(&report),
            junit::render(&report),
            sarif::render(&report),
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
