//! A self-contained HTML page: styles and plots are inline, nothing is fetched, no script runs.
//!
//! The answer comes first, then the table, the plots, and how to repeat the run. Dark and light mode follow the
//! reader's system; the page works on narrow screens and on paper. `safe` strips control characters from external text,
//! and maud escapes it.

mod cells;
mod check;
mod classes;
mod curves;
mod fuzz;
mod gate;
mod history;
mod load;
mod nothing;
mod number;
mod plot;
mod replay;
#[cfg(test)]
pub(super) mod sample;
mod sweep;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use check::{calls, check};
pub(crate) use fuzz::fuzz;
pub(crate) use gate::gate;
pub(crate) use history::history;
pub(crate) use load::load;
use maud::{DOCTYPE, Markup, PreEscaped, html};
pub(crate) use nothing::{nothing, observed};
pub(crate) use replay::replay;
pub(crate) use sweep::sweep;
pub(crate) use whole::whole;

use super::Environment;
use crate::data::Unit;
use crate::load::Remark;
use crate::text::escape_text;

/// The style sheets, inlined into the page: that of every page, and that of findings and checks.
const STYLES: [&str; 2] = [include_str!("page.css"), include_str!("check/check.css")];
/// Maximum length of external text, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// What every page shows besides its result.
#[derive(Debug, Clone)]
pub(crate) struct Page<'a> {
    /// A short title.
    pub title: &'a str,
    /// `pass`, `fail` or `inconclusive`; `None` of what is only for reading.
    pub verdict: Option<&'a str>,
    /// The measured server: its command or address.
    pub target: &'a str,
    /// Commands that repeat the run, one per line.
    pub command_lines: Vec<String>,
    /// The machine.
    pub environment: &'a Environment,
    /// Wall time in seconds.
    pub duration_s: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// The whole document around `content`, which begins with the answer.
fn frame(page: &Page, content: &Markup) -> String {
    let title = safe(page.title);
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(format!("tcprove {}", page.environment.tcprove));
                title { "tcprove: " (title) }
                @for style in STYLES { style { (PreEscaped(style)) } }
            }
            body {
                main {
                    header.run {
                        p.what { span.brand { "tcprove" } " " (title) }
                        @if let Some(verdict) = page.verdict { (pill(verdict)) }
                    }
                    @if page.interrupted {
                        div.box.unsure { strong { "Interrupted: this is what was seen until then." } }
                    }
                    (content)
                    (repeat(page))
                    (machine(page))
                }
            }
        }
    };
    document.into_string()
}

/// The verdict as a word with a sign, since not everybody can see the colour.
fn pill(verdict: &str) -> Markup {
    let (class, sign) = match verdict {
        "pass" => ("pill good", "✓"),
        "fail" | "error" => ("pill bad", "✕"),
        _ => ("pill unsure", "?"),
    };
    html! { span class=(class) { (sign) " " (safe(verdict)) } }
}

/// Target, duration and seed: one dim line below the answer.
fn facts(page: &Page, more: &[String]) -> Markup {
    html! {
        p.facts {
            span { "target " code { (safe(page.target)) } }
            @for fact in more { span { (fact) } }
            span { "took " (seconds(page.duration_s)) }
            span { "seed " (page.seed) }
        }
    }
}

fn repeat(page: &Page) -> Markup {
    html! {
        @if !page.command_lines.is_empty() {
            section {
                h2 { "How to repeat it" }
                @for line in &page.command_lines { pre { code { (safe(line)) } } }
            }
        }
    }
}

fn machine(page: &Page) -> Markup {
    let environment = page.environment;
    let nofile = match environment.nofile {
        u64::MAX => "unlimited".to_owned(),
        limit => number::count(limit),
    };
    html! {
        section {
            h2 { "The machine" }
            dl.pairs {
                (pair("tcprove", environment.tcprove))
                (pair("kernel", &safe(&environment.kernel)))
                (pair("processors", &format!("{} × {}", environment.cpus, safe(&environment.model))))
                (pair("open descriptors", &nofile))
                @if let Some(steal) = environment.steal {
                    (pair("CPU time taken by the hypervisor since boot", &number::share(steal / 100.0)))
                }
                @if let Some(throttled) = environment.throttled {
                    (pair("times throttled by the control group", &number::count(throttled)))
                }
            }
        }
    }
}

/// A name and its value in a `dl`. The value must be internal text or already safe.
fn pair(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Wall time in readable form.
fn seconds(duration_s: f64) -> String {
    let whole = duration_s.round().max(0.0) as u64;
    match whole {
        0..100 => number::figure(duration_s * 1e6, Unit::Micros),
        100..6000 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// A reason or a note, its stable word in bold.
fn reason(remark: &Remark) -> Markup {
    html! { b.word { (remark.word) } " " (safe(&remark.sentence)) }
}

/// External text without control characters; maud escapes it when it is inserted.
fn safe(text: &str) -> String {
    escape_text(text, TEXT_CHARS_MAX)
}
