//! When each check ran, and how long. The bars are boxes of text, which fit any width.

use std::time::Duration;

use maud::{Markup, html};

use super::super::plot::ticks_from_zero;
use super::super::{number, seconds};
use super::mark;
use crate::check::{Outcome, Verdict};
use crate::data::Unit;
use crate::report::CheckReport;

/// Least width of a bar, in percent.
const WIDTH_MIN: f64 = 0.35;
/// Minimum duration of a skipped check that is shown: it found out during the stimulus that it does not apply.
const SKIP_MIN: Duration = Duration::from_millis(500);

/// One bar: start and length in seconds.
type Bar = (f64, f64);

/// The timeline; nothing if nothing ran.
pub(super) fn section(checked: &CheckReport) -> Markup {
    let mut rows: Vec<(&Outcome, Vec<Bar>)> = checked
        .outcomes
        .iter()
        .filter(|outcome| outcome.outcome != Verdict::Skip || outcome.duration >= SKIP_MIN)
        .filter(|outcome| !outcome.duration.is_zero())
        .map(|outcome| (outcome, bars(outcome)))
        .collect();
    let has_times = rows.iter().any(|(outcome, _)| !outcome.ran.is_empty());
    let begin = |bars: &[Bar]| bars.first().map_or(0.0, |bar| bar.0);
    let end = |bars: &[Bar]| bars.iter().map(|bar| bar.0 + bar.1).fold(0.0, f64::max);
    if has_times {
        rows.sort_by(|one, other| begin(&one.1).total_cmp(&begin(&other.1)));
    } else {
        rows.sort_by(|one, other| end(&other.1).total_cmp(&end(&one.1)));
    }
    let whole = rows.iter().map(|row| end(&row.1)).fold(0.0, f64::max);
    if whole <= 0.0 {
        return html! {};
    }
    html! {
        section #timeline {
            h2 { @if has_times { "When each check ran" } @else { "How long each check took" } }
            @if has_times {
                p.aside {
                    "Checks that share the machine ran first, in several lanes; then failures were confirmed alone, and \
                     checks that measure time, CPU or memory ran alone."
                }
            }
            div.timeline {
                div.scale aria-hidden="true" {
                    @for at in ticks_from_zero(whole).into_iter().filter(|at| *at <= whole) {
                        span style=(format!("left:{:.2}%", at / whole * 100.0)) {
                            @if at == 0.0 { "0" } @else { (number::tick(at * 1e6, Unit::Micros)) }
                        }
                    }
                }
                @for (outcome, bars) in &rows { (row(outcome, bars, whole)) }
            }
        }
    }
}

/// The bars of an outcome, one for each attempt; from zero if it is not known when they ran.
fn bars(outcome: &Outcome) -> Vec<Bar> {
    match outcome.ran.as_slice() {
        [] => vec![(0.0, outcome.duration.as_secs_f64())],
        ran => {
            let bar = ran
                .iter()
                .map(|ran| (ran.begin.as_secs_f64(), ran.took.as_secs_f64()));
            bar.collect()
        }
    }
}

fn row(outcome: &Outcome, bars: &[Bar], whole: f64) -> Markup {
    let (class, _) = mark(outcome);
    let took: f64 = bars.iter().map(|bar| bar.1).sum();
    html! {
        div.lane {
            a.id href=(format!("#all-{}", outcome.id)) { (outcome.id) }
            div.track {
                @for (begin, took) in bars {
                    span class=(format!("bar {class}"))
                        style=(format!(
                            "left:{:.2}%;width:{:.2}%",
                            (begin / whole * 100.0).min(100.0 - WIDTH_MIN),
                            (took / whole * 100.0).max(WIDTH_MIN)
                        )) {}
                }
            }
            span.took { (seconds(took)) }
        }
    }
}
