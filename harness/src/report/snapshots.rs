//! What every kind of run looks like in every format that people read, as snapshots.
//!
//! `cargo insta review` shows what a change did to them; the files in `snapshots/` are reviewed like code. Reports
//! of the samples contain no time and no machine, so nothing is redacted.

#![cfg(feature = "cli")]

use quick_xml::Reader;
use quick_xml::events::Event;

use super::html::sample as pages;
use super::sample::{
    campaign, checked, failed_to_start, finding, gated, gated_with_behaviour, history, loaded,
    replay, report, swept,
};
use super::sample_check::{calls, checked_in_full, whole};
use super::{Body, Report, html, junit, markdown, terminal, trace};
use crate::fuzz::FindingKind;
use crate::load::Workload;

/// Columns of the terminal. Commands are longer than some lines.
const COLUMNS: usize = 100;

/// The terminal's text with its colours as words.
fn on_a_terminal(report: &Report) -> String {
    let named = [
        ("\u{1b}[0m", "</>"),
        ("\u{1b}[1m", "<bold>"),
        ("\u{1b}[2m", "<dim>"),
        ("\u{1b}[31m", "<red>"),
        ("\u{1b}[32m", "<green>"),
        ("\u{1b}[33m", "<yellow>"),
        ("\u{1b}[35m", "<magenta>"),
    ];
    let text = terminal::render(report, Some(COLUMNS));
    let text = named
        .iter()
        .fold(text, |text, (code, name)| text.replace(code, name));
    assert!(
        !text.contains('\u{1b}'),
        "a colour without a name: {text:?}"
    );
    text
}

/// The same report in each format; one snapshot holds all, so that they can be compared.
fn in_every_format(report: &Report) -> String {
    format!(
        "terminal\n========\n{}\nMarkdown\n========\n{}\nJUnit\n=====\n{}",
        on_a_terminal(report),
        markdown::render(report),
        junit::render(report)
    )
}

/// What can be read on a page: each block and each row of a table is a line, a drawing is its description.
fn words(page: &str) -> String {
    let body = pages::body_as_xml(page);
    let mut reader = Reader::from_str(&body);
    let (mut path, mut lines) = (Vec::<Vec<u8>>::new(), Vec::<String>::new());
    let mut is_new_line = true;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_vec());
                is_new_line |= !is_inline(start.name().as_ref());
                if is_cell(start.name().as_ref())
                    && let Some(line) = lines.last_mut().filter(|_| !is_new_line)
                {
                    line.push_str(" | ");
                }
            }
            Event::End(end) => {
                path.pop();
                is_new_line |= !is_inline(end.name().as_ref());
            }
            Event::Text(text) => {
                if path.last().is_some_and(|name| name == b"style") {
                    continue;
                }
                let is_drawing = path.iter().any(|name| name == b"svg");
                let is_told = path.last().is_some_and(|name| name == b"desc");
                let text = String::from_utf8(text.to_vec()).unwrap();
                if (is_drawing && !is_told) || text.trim().is_empty() {
                    continue;
                }
                match lines.last_mut() {
                    Some(line) if !is_new_line => line.push_str(&text),
                    _ => lines.push(text),
                }
                is_new_line = false;
            }
            Event::GeneralRef(entity) => {
                let entity = String::from_utf8(entity.to_vec()).unwrap();
                lines.last_mut().unwrap().push_str(&format!("&{entity};"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

fn is_inline(name: &[u8]) -> bool {
    is_cell(name) || [&b"b"[..], b"code", b"span", b"strong", b"em", b"small"].contains(&name)
}

fn is_cell(name: &[u8]) -> bool {
    [&b"td"[..], b"th", b"dd"].contains(&name)
}

#[test]
fn a_battery() {
    insta::assert_snapshot!("check", in_every_format(&checked()));
}

#[test]
fn a_run_that_could_not_begin() {
    insta::assert_snapshot!("error", in_every_format(&failed_to_start()));
}

#[test]
fn a_trace() {
    insta::assert_snapshot!("trace", trace::render(&checked_in_full()));
}

#[test]
fn a_campaign_that_found_something() {
    let findings = vec![
        finding(FindingKind::Crash, 5, None),
        finding(FindingKind::Leak, 5, Some("issue 7")),
        finding(FindingKind::Hang, 0, None),
    ];
    insta::assert_snapshot!("fuzz", in_every_format(&campaign(findings)));
}

#[test]
fn a_campaign_that_found_nothing() {
    insta::assert_snapshot!("fuzz-sound", in_every_format(&campaign(vec![])));
}

#[test]
fn findings_that_were_replayed() {
    insta::assert_snapshot!("replay", in_every_format(&replay()));
}

#[test]
fn a_load() {
    insta::assert_snapshot!("load", in_every_format(&loaded(true)));
    insta::assert_snapshot!("load-invalid", in_every_format(&loaded(false)));
}

#[test]
fn a_sweep() {
    insta::assert_snapshot!("bench", in_every_format(&swept()));
}

#[test]
fn a_gate() {
    let gate = |percent, seen| {
        let body = Body::Gate(Box::new(gated(percent, 1e-3, seen)));
        in_every_format(&report("gate", Ok(body)))
    };
    insta::assert_snapshot!("gate-fail", gate(4.0, 2.0));
    insta::assert_snapshot!("gate-void", gate(0.0, 0.1));
}

#[test]
fn a_history() {
    let report = history();
    insta::assert_snapshot!("history", in_every_format(&report));
    let Body::History(history) = &report.body else {
        panic!("a history")
    };
    let environment = pages::environment();
    let text = html::history(&pages::page(&environment), history);
    assert!(!text.contains("<script") && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
    insta::assert_snapshot!("history-page", words(&text));
}

#[test]
fn pages_of_every_kind() {
    let environment = pages::environment();
    let page = pages::page(&environment);
    insta::assert_snapshot!("bench-page", words(&html::sweep(&page, &pages::models())));
    for (valid, name) in [(true, "load-page"), (false, "load-invalid-page")] {
        let mut page = page.clone();
        page.verdict = Some(if valid { "pass" } else { "inconclusive" });
        let text = html::load(&page, &Workload::default(), &pages::load(valid), None);
        insta::assert_snapshot!(name, words(&text));
    }
    insta::assert_snapshot!(
        "gate-page",
        words(&html::gate(&page, &gated(4.0, 1e-3, 2.0)))
    );
    insta::assert_snapshot!(
        "gate-void-page",
        words(&html::gate(&page, &gated(0.0, 1e-3, 0.1)))
    );
}

#[test]
fn pages_of_checks() {
    let environment = pages::environment();
    let page = pages::page(&environment);
    let full = checked_in_full();
    insta::assert_snapshot!("check-full", in_every_format(&full));
    let Body::Check(checked) = full.body else {
        panic!("a battery")
    };
    insta::assert_snapshot!("check-page", words(&html::check(&page, &checked)));
    let run = whole(checked);
    insta::assert_snapshot!("run-page", words(&html::whole(&page, &run)));
    let Body::Calls(calls) = calls().body else {
        panic!("a sweep of calls")
    };
    insta::assert_snapshot!("calls-page", words(&html::calls(&page, &calls)));
    let Body::Replay(replay) = replay().body else {
        panic!("a replay")
    };
    insta::assert_snapshot!("replay-page", words(&html::replay(&page, &replay)));
    let error = failed_to_start().error;
    let nothing = html::nothing(&page, error.as_ref());
    insta::assert_snapshot!("error-page", words(&nothing));
}

#[test]
fn a_gate_whose_servers_behave_differently() {
    let gate = gated_with_behaviour();
    let environment = pages::environment();
    let page = html::gate(&pages::page(&environment), &gate);
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    insta::assert_snapshot!("gate-behaviour-page", words(&page));
    let report = report("gate", Ok(Body::Gate(Box::new(gate))));
    insta::assert_snapshot!("gate-behaviour", in_every_format(&report));
}

/// What moved, what would have been seen, how long it would take to settle it, and a gate that is blind.
#[test]
fn answers_of_gates() {
    let answers = [
        ("no change", gated(0.0, 1e-3, 2.0)),
        ("4 % worse", gated(4.0, 1e-3, 2.0)),
        (
            "1.8 % worse, with ten times the noise",
            gated(1.8, 1e-2, 2.0),
        ),
        ("a control that saw nothing", gated(0.0, 1e-3, 0.1)),
    ];
    let text: String = answers
        .iter()
        .map(|(what, report)| format!("{what}: {}\n", report.answer()))
        .collect();
    insta::assert_snapshot!("gate-answers", text);
}
