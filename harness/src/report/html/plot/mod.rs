//! Plots as inline SVG: lines with intervals, bars, a heat map, a forest plot, a flame graph. Independent of what they show.
//!
//! Colours are classes (`c0`, `c1`, ...) that the style sheet defines for dark and light mode. Every plot is a `figure`
//! with a caption, a drawing with `title` and `desc`, and a legend.

mod bars;
mod flame;
mod forest;
mod heat;
mod lines;
mod scale;

pub(super) use bars::{Bar, Bars, Group};
pub(super) use flame::{Flame, FlameFrame};
pub(super) use forest::{Branch, Forest};
pub(super) use heat::{Heat, HeatCell};
pub(super) use lines::{Lines, Mark, Point, Rule, Series};
use maud::{Markup, html};
pub(super) use scale::{PlotAxis, ticks_from_zero};

/// Number of distinguishable colours; further series reuse them.
pub(super) const COLOURS: usize = 7;
/// Width of a character of a wide font, in units of the drawing.
const CHAR_WIDTH: f64 = 7.8;

/// Estimated width of a text: only a browser could measure it.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * CHAR_WIDTH
}

/// A drawing with its caption, description and legend.
fn figure(
    caption: &str,
    desc: &str,
    size: (f64, f64),
    drawing: &Markup,
    legend: &Markup,
) -> Markup {
    let view_box = format!("0 0 {:.0} {:.0}", size.0, size.1);
    html! {
        figure {
            figcaption { (caption) }
            div.canvas {
                svg viewBox=(view_box) role="img" style=(format!("--w:{:.0}px", size.0)) {
                    title { (caption) }
                    desc { (desc) }
                    (drawing)
                }
            }
            (legend)
        }
    }
}

/// A coordinate with one decimal.
fn at(value: f64) -> String {
    format!("{value:.1}")
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Markup {
    html! { line class=(class) x1=(at(from.0)) y1=(at(from.1)) x2=(at(to.0)) y2=(at(to.1)) {} }
}

/// Text at a position; the class determines the anchor.
fn label(class: &str, place: (f64, f64), text: &str) -> Markup {
    html! { text class=(class) x=(at(place.0)) y=(at(place.1)) { (text) } }
}

/// An interval along the y axis: a line with a short bar at each end.
fn whisker(x: f64, low: f64, high: f64) -> Markup {
    html! {
        path.whisker d=(format!(
            "M{x:.1} {low:.1}V{high:.1}M{left:.1} {low:.1}h6M{left:.1} {high:.1}h6",
            left = x - 3.0
        )) {}
    }
}

/// The legend symbol of an interval.
fn whisker_swatch() -> Markup {
    html! {
        svg.swatch.narrow viewBox="0 0 14 14" aria-hidden="true" {
            g.cx { (whisker(7.0, 1.5, 12.5)) }
        }
    }
}

/// The marker of a series, so that colour is not needed: circle, square, triangle, diamond.
fn sign(series: usize, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) -> Markup {
    let (diameter, wide) = (radius * 1.8, radius * 1.3);
    let path = match series % 4 {
        0 => format!(
            "M{:.1} {y:.1}a{radius} {radius} 0 1 0 {d:.1} 0a{radius} {radius} 0 1 0 -{d:.1} 0z",
            x - radius,
            d = radius * 2.0
        ),
        1 => format!(
            "M{:.1} {:.1}h{diameter:.1}v{diameter:.1}h-{diameter:.1}z",
            x - diameter / 2.0,
            y - diameter / 2.0
        ),
        2 => format!(
            "M{x:.1} {:.1}l{wide:.1} {h:.1}h-{w:.1}z",
            y - wide,
            h = wide * 1.8,
            w = wide * 2.0
        ),
        _ => format!(
            "M{x:.1} {:.1}l{wide:.1} {wide:.1}l-{wide:.1} {wide:.1}l-{wide:.1} -{wide:.1}z",
            y - wide
        ),
    };
    html! {
        path class=(class) d=(path) { @if !tip.is_empty() { title { (tip) } } }
    }
}
