//! Who sent what when, as a sequence diagram: the client's line is at the left, the server's at the right, and each step
//! is an arrow between them. It is made of text, so that it wraps on narrow screens and can be copied.

use maud::{Markup, html};

use super::super::plot::COLOURS;
use super::super::safe;
use crate::check::Outcome;
use crate::data::{Action, Actor};

/// The diagram of an outcome; nothing if no step is known.
pub(super) fn section(outcome: &Outcome) -> Markup {
    let steps = &outcome.transcript;
    let connections = steps.first.iter().chain(&steps.last);
    let several = connections.map(|step| step.connection).max() > Some(1);
    html! {
        @if !steps.is_empty() {
            h4 { "Who did what when" }
            div.sequence {
                div.ends aria-hidden="true" { span { "client" } span { "server" } }
                ol {
                    @for one in &steps.first { (step(one, several)) }
                    @if steps.left_out > 0 { li.gap { "… " (steps.left_out) " more steps" } }
                    @for one in &steps.last { (step(one, several)) }
                    @if let Some(actual) = &outcome.actual { li.outcome { span { "✕ " (safe(actual)) } } }
                }
            }
            @if several { p.aside { "#1, #2, … are connections, each in its colour." } }
        }
    }
}

fn step(step: &Action, several: bool) -> Markup {
    let direction = match step.by {
        Actor::Client => "to-server",
        Actor::Server => "to-client",
        Actor::Check => "beside",
    };
    let colour = match step.connection {
        0 => "cx".to_owned(),
        number => format!("c{}", (number as usize - 1) % COLOURS),
    };
    html! {
        li class=(format!("step {direction} {colour}")) {
            span.when { (when(step.at_ms)) }
            span.what {
                @if several && step.connection > 0 { b.connection { "#" (step.connection) } " " }
                (safe(&step.phrase()))
            }
        }
    }
}

/// A time since the start of the check.
fn when(milliseconds: f64) -> String {
    match milliseconds {
        _ if milliseconds < 10.0 => format!("{milliseconds:.1}\u{a0}ms"),
        _ if milliseconds < 1e3 => format!("{milliseconds:.0}\u{a0}ms"),
        _ => format!("{:.2}\u{a0}s", milliseconds / 1e3),
    }
}
