//! Tests of whole pages: what they must and must not contain.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{fuzz, gate, load, sample, sweep};
use crate::bench::SweepResult;
use crate::fuzz::{BlockCount, BlocksAt, Coverage, FindingKind, code_sample};
use crate::gate::{CostSource, Explained, Frame, Metric};
use crate::load::{Reason, Remark, Workload};
use crate::report::sample::{finding, gated};
use crate::report::{FuzzReport, GateReport};

fn sweep_page(result: &SweepResult) -> String {
    let environment = sample::environment();
    sweep(&sample::page(&environment), result)
}

fn load_page(valid: bool) -> String {
    let environment = sample::environment();
    let mut page = sample::page(&environment);
    page.verdict = Some(if valid { "pass" } else { "inconclusive" });
    load(&page, &Workload::default(), &sample::load(valid), None)
}

fn gate_page(report: &GateReport) -> String {
    gate(&sample::page(&sample::environment()), report)
}

fn fuzz_page() -> String {
    let mut report = FuzzReport {
        result: Default::default(),
    };
    let at = |seconds, blocks| BlocksAt { seconds, blocks };
    report.result.findings = vec![finding(FindingKind::Crash, 5, None)];
    report.result.coverage = Coverage {
        blocks: Some(BlockCount {
            reached: 90,
            all: 300,
        }),
        over_time: vec![at(0.2, 30), at(1.5, 70), at(8.0, 90)],
        code: Some(code_sample()),
        ..Coverage::default()
    };
    fuzz(&sample::page(&sample::environment()), &report)
}

#[test]
fn a_campaign_shows_what_it_has_reached() {
    let page = fuzz_page();
    assert_eq!(drawings(&page), 2, "the plot and the sign of its legend");
    for text in [
        "2 of 3 functions were reached, and 2 of 5 lines.",
        "90 of 300 basic blocks",
        "never&lt;u8, &quot;x&quot;&gt;",
        "/* a &lt;server&gt; */",
        "<code>0x4010</code> <span class=\"why\">2 of 5 blocks</span>",
        "libx.so</code> has no debug information",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let rows = |class: &str| {
        page.matches(&format!("<span class=\"{class}\" title="))
            .count()
    };
    assert_eq!((rows("hit"), rows("miss")), (2, 1));
    assert!(!page.contains("<script"));
}

/// A finding says what it means, what happened on which connection, and how to see it again, and the page begins with it.
#[test]
fn a_finding_of_a_campaign_needs_no_terminal() {
    let mut found = finding(FindingKind::Crash, 5, None);
    found.cases = vec![found.cases[0].clone(), found.cases[0].clone()];
    found.minimal = false;
    let waived = finding(FindingKind::Leak, 5, Some("known"));
    let mut report = FuzzReport {
        result: Default::default(),
    };
    report.result.findings = vec![waived, found];
    let page = fuzz(&sample::page(&sample::environment()), &report);
    for text in [
        "<h2>What to do next</h2>",
        "<a href=\"#crash-1a2b\">",
        "id=\"crash-1a2b\"",
        "a process of the server ended",
        "Case 2 of 2, on the same server",
        "a smaller case may exist",
        "after 3.25\u{a0}s",
        "See it again",
        "tcprove replay findings/x",
        "<dt>waived</dt>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("<a href=\"#leak-1a2b\">"), "{page}");
    let one = fuzz_page();
    assert!(!one.contains("Case 1 of 1"), "{one}");
}

fn pages() -> [String; 4] {
    [
        sweep_page(&sample::sweep()),
        sweep_page(&sample::models()),
        load_page(true),
        load_page(false),
    ]
}

/// Parses the body as XML; the number of its drawings.
pub(super) fn drawings(page: &str) -> usize {
    let body = sample::body_as_xml(page);
    let mut reader = Reader::from_str(&body);
    let (mut depth, mut drawings) = (0i32, 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                depth += 1;
                drawings += usize::from(start.name().as_ref() == b"svg");
                for attribute in start.attributes() {
                    let value = attribute.unwrap().value;
                    let text = String::from_utf8_lossy(&value);
                    assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
                }
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    drawings
}

#[test]
fn the_pages_are_well_formed() {
    for page in pages() {
        assert!(drawings(&page) > 3);
    }
}

#[test]
fn what_is_no_number_breaks_no_drawing() {
    for mut result in [sample::sweep(), sample::models()] {
        for (place, cell) in result.cells.iter_mut().enumerate().skip(1) {
            let wrong = [f64::NAN, f64::INFINITY, -1.0, 0.0][place % 4];
            for metric in cell.metrics.values_mut() {
                (metric.estimate, metric.low, metric.high) = (wrong, wrong, f64::NAN);
            }
            cell.curve = vec![(0.0, wrong), (0.5, f64::NAN), (1.0, 1.0)];
        }
        assert!(drawings(&sweep_page(&result)) > 3);
    }
}

#[test]
fn the_pages_hold_everything_themselves() {
    let gate = gate_page(&gated(4.0, 1e-3, 2.0));
    for page in pages().into_iter().chain([gate]) {
        for word in [
            "http://", "https://", "<script", "src=", "url(", "@import", "<link",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }
}

#[test]
fn every_plot_has_words() {
    for page in pages() {
        let plots = page.matches("role=\"img\"").count();
        assert!(plots > 2);
        assert_eq!(page.matches("<figcaption>").count(), plots);
        assert_eq!(page.matches("<desc>").count(), plots);
        assert_eq!(page.matches("class=\"legend\"").count(), plots);
    }
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</title><script>alert(1)</script>\" onload=\"x\u{1b}[2J\u{202e}";
    let mut result = sample::sweep();
    result.axes[1].name = hostile.into();
    for cell in &mut result.cells {
        cell.axes[1].0 = hostile.into();
        let remark = || Remark {
            word: "not-started".into(),
            sentence: hostile.into(),
        };
        cell.notes.push(remark());
        cell.reasons.push(remark());
        cell.why = Some(hostile.into());
        cell.valid = false;
    }
    result.axes[0].values[0] = hostile.into();
    result.recommendation.headline = hostile.into();
    result.recommendation.verdicts[0].sentence = hostile.into();
    result.recommendation.verdicts[0].axis = hostile.into();
    let mut environment = sample::environment();
    environment.model = hostile.into();
    let mut page = sample::page(&environment);
    page.title = hostile;
    page.target = hostile;
    page.verdict = Some(hostile);
    page.command_lines.push(hostile.into());
    let mut loaded = sample::load(false);
    loaded.validity.troubles = vec![hostile.into()];
    loaded.validity.reasons = vec![Reason::WrongReplies {
        wrong: 1,
        replies: 1,
        first: Some(hostile.into()),
    }];
    for text in [
        sweep(&page, &result),
        load(&page, &Workload::default(), &loaded, None),
    ] {
        assert!(!text.contains("<script") && !text.contains("\" onload"));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert!(text.contains("&lt;script&gt;alert(1)"));
    }
}

#[test]
fn a_gate_lets_nothing_hostile_through() {
    let page = gate_page(&gated(4.0, 1e-3, 2.0));
    assert_eq!(
        drawings(&page),
        4,
        "the plot for each width and the sign of its legend"
    );
    let void = gate_page(&gated(0.0, 1e-3, 0.1));
    for page in [page, void] {
        assert!(!page.contains("<script") && !page.contains('\u{1b}'));
        assert!(!page.contains('\u{202e}'));
    }
}

/// A new frame is dark red, what contains it is pale, what did not change has no colour, and what is gone is blue.
#[test]
fn a_flame_graph_is_red_where_it_became_more_expensive() {
    let frame = |function: &str, base, candidate, calls| Frame {
        function: function.into(),
        base,
        candidate,
        calls,
    };
    let serve = vec![
        frame("parse<script>", 70.0, 70.0, vec![]),
        frame("log_request", 0.0, 40.0, vec![]),
        frame("gone", 20.0, 0.0, vec![]),
    ];
    let mut report = gated(4.0, 1e-3, 2.0);
    report.result.explained = vec![Explained {
        metric: Metric::Instructions,
        functions: Vec::new(),
        by: CostSource::default(),
        system_calls: Vec::new(),
        calls: Vec::new(),
        stacks: Some(frame("serve", 90.0, 110.0, serve)),
    }];
    let page = gate_page(&report);
    assert_eq!(
        drawings(&page),
        8,
        "four more: the graph and the signs of its legend"
    );
    let colour = |name: &str| {
        let begin = page.find(&format!("<title>{name}: ")).unwrap();
        let class = page[begin..].split("class=\"").nth(1).unwrap();
        class.split('"').next().unwrap().to_owned()
    };
    assert_eq!(colour("serve"), "flame more d1");
    assert_eq!(colour("parse&lt;script&gt;"), "flame");
    assert_eq!(colour("log_request"), "flame more d4");
    assert_eq!(colour("gone"), "flame less d4");
    assert!(!page.contains("<script"));
}

/// On a phone each row of the table is a card, and the plot is narrow.
#[test]
fn a_gate_can_be_read_on_a_phone() {
    let page = gate_page(&gated(4.0, 1e-3, 2.0));
    for head in ["base", "candidate", "change", "budget", "verdict"] {
        assert!(
            page.contains(&format!("<td data-head=\"{head}\">")),
            "{head}"
        );
    }
    for (class, width) in [("wide desk", 960), ("phone", 360)] {
        let begin = page.find(&format!("<div class=\"{class}\">")).unwrap();
        let svg = &page[begin..][..400];
        assert!(svg.contains(&format!("viewBox=\"0 0 {width} ")), "{svg}");
    }
    assert!(page.contains("@media screen and (max-width: 640px)"));
}

#[test]
fn a_gate_that_measured_nothing_is_still_a_page() {
    let mut report = gated(f64::NAN, 0.0, f64::NAN);
    assert!(gate_page(&report).contains("did not measure the planted work"));
    report.result = crate::gate::GateResult::default();
    assert_eq!(drawings(&gate_page(&report)), 0);
}

#[test]
fn a_sweep_of_nothing_is_still_a_page() {
    let mut result = sample::sweep();
    result.axes.clear();
    result.cells.clear();
    result.recommendation = Default::default();
    assert!(sweep_page(&result).contains("No recommendation"));
    let mut result = sample::sweep();
    for cell in &mut result.cells {
        cell.metrics.clear();
        cell.curve.clear();
    }
    assert!(sweep_page(&result).contains("All cells"));
}
