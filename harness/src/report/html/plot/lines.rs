//! Lines over a numeric axis, with markers and intervals.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::scale::PlotAxis;
use super::{COLOURS, at, figure, label, line, sign, text_width, whisker, whisker_swatch};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 305.0;
const TOP: f64 = 14.0;
const RIGHT: f64 = 22.0;
const BOTTOM: f64 = 50.0;
/// Distance of points from the ends of the x axis.
const INSET: f64 = 12.0;
/// Horizontal offset between series, so that their intervals do not overlap.
const ASIDE: f64 = 2.5;

/// A line plot.
pub(in super::super) struct Lines {
    pub(in super::super) caption: String,
    /// A textual description for those who cannot see the plot.
    pub(in super::super) desc: String,
    pub(in super::super) x: PlotAxis,
    pub(in super::super) y: PlotAxis,
    pub(in super::super) series: Vec<Series>,
    /// Places on the x axis where something changed.
    pub(in super::super) rules: Vec<Rule>,
}

/// A vertical line where something changed.
pub(in super::super) struct Rule {
    pub(in super::super) x: f64,
    /// Whether it changed for the worse.
    pub(in super::super) worse: bool,
    /// The tooltip.
    pub(in super::super) tip: String,
}

/// One line.
pub(in super::super) struct Series {
    /// Its name in the legend.
    pub(in super::super) name: String,
    /// From left to right.
    pub(in super::super) points: Vec<Point>,
    /// Whether points have markers; a dense line has none.
    pub(in super::super) signs: bool,
}

/// A point with its interval.
#[derive(Clone, Default)]
pub(in super::super) struct Point {
    pub(in super::super) x: f64,
    pub(in super::super) y: f64,
    /// Ends of the interval.
    pub(in super::super) interval: Option<(f64, f64)>,
    /// How it is drawn and read.
    pub(in super::super) mark: Mark,
    /// The tooltip.
    pub(in super::super) tip: String,
}

/// How a point is drawn and read.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Mark {
    /// A valid measurement.
    #[default]
    Plain,
    /// Measured in another cell with the same settings in force.
    Same,
    /// An invalid measurement.
    Invalid,
}

/// The part of the drawing that contains the data.
struct Area {
    left: f64,
    right: f64,
    inset: f64,
}

const BASE: f64 = HEIGHT - BOTTOM;

impl Lines {
    pub(in super::super) fn draw(&self) -> Markup {
        let ticks = self.y.ticks.iter().map(|tick| text_width(&tick.1));
        let widest = ticks.fold(0.0, f64::max);
        let has_signs = self.series.iter().any(|series| series.signs);
        let area = Area {
            left: widest + 32.0,
            right: WIDTH - RIGHT,
            inset: if has_signs { INSET } else { 0.0 },
        };
        let drawing = html! {
            (self.y_axis(&area))
            (self.x_axis(&area))
            @for rule in &self.rules { (self.rule(rule, &area)) }
            @for place in 0..self.series.len() { (self.series(place, &area)) }
        };
        figure(
            &self.caption,
            &self.desc,
            (WIDTH, HEIGHT),
            &drawing,
            &self.legend(),
        )
    }

    fn x(&self, value: f64, area: &Area) -> f64 {
        let begin = area.left + area.inset;
        begin + self.x.scale.place(value) * (area.right - area.inset - begin)
    }

    fn y(&self, value: f64) -> f64 {
        BASE - self.y.scale.place(value) * (BASE - TOP)
    }

    fn y_axis(&self, area: &Area) -> Markup {
        let middle = f64::midpoint(TOP, BASE);
        html! {
            @for (value, name) in &self.y.ticks {
                @let y = self.y(*value);
                (line("grid", (area.left, y), (area.right, y)))
                (label("tick end", (area.left - 7.0, y + 4.5), name))
            }
            text.axis transform=(format!("translate(14 {middle:.0}) rotate(-90)")) { (self.y.label) }
        }
    }

    fn x_axis(&self, area: &Area) -> Markup {
        let length = area.right - area.left - 2.0 * area.inset;
        html! {
            (line("base", (area.left, BASE), (area.right, BASE)))
            @for (value, _) in &self.x.ticks {
                @let x = self.x(*value, area);
                (line("base", (x, BASE), (x, BASE + 4.0)))
            }
            @for (value, name) in self.x.labelled(length) {
                (label("tick", (self.x(*value, area), BASE + 19.0), name))
            }
            (label("axis", (f64::midpoint(area.left, area.right), HEIGHT - 9.0), &self.x.label))
        }
    }

    fn rule(&self, rule: &Rule, area: &Area) -> Markup {
        let x = at(self.x(rule.x, area));
        let class = if rule.worse { "limit" } else { "limit better" };
        html! {
            line class=(class) x1=(x) y1=(at(TOP)) x2=(x) y2=(at(BASE)) { title { (rule.tip) } }
        }
    }

    fn series(&self, place: usize, area: &Area) -> Markup {
        let series = &self.series[place];
        let aside = if series.signs {
            (place as f64 - (self.series.len() - 1) as f64 / 2.0) * ASIDE
        } else {
            0.0
        };
        let seen = series.points.iter().filter(|point| point.y.is_finite());
        let at_x = |point: &Point| self.x(point.x, area) + aside;
        html! {
            g class=(class(place, series.signs)) {
                path.line d=(self.path(series, &at_x)) {}
                @if series.signs {
                    @for point in seen {
                        @let x = at_x(point);
                        @if let Some((low, high)) = point.interval {
                            (whisker(x, self.y(low), self.y(high)))
                        }
                        (sign(place, point.mark.class(), (x, self.y(point.y)), point.mark.radius(), &point.tip))
                    }
                }
            }
        }
    }

    /// The line through the points. It is interrupted at invalid points, and does not connect to zero on a logarithmic
    /// scale, where zero has no position.
    fn path(&self, series: &Series, at_x: &dyn Fn(&Point) -> f64) -> String {
        let mut path = String::new();
        let mut begins = true;
        for point in &series.points {
            let is_apart = series.signs && point.x <= 0.0 && self.x.is_logarithmic();
            if is_apart || !point.y.is_finite() || point.mark == Mark::Invalid {
                begins = true;
                continue;
            }
            path.push(if begins { 'M' } else { 'L' });
            path.push_str(&at(at_x(point)));
            path.push(' ');
            path.push_str(&at(self.y(point.y)));
            begins = false;
        }
        path
    }

    /// The names of the series, and the meaning of special markers that occur.
    fn legend(&self) -> Markup {
        let points = self.series.iter().flat_map(|series| &series.points);
        let marks: BTreeSet<Mark> = points.map(|point| point.mark).collect();
        let has_intervals = (self.series.iter().flat_map(|series| &series.points))
            .any(|point| point.interval.is_some());
        html! {
            ul.legend {
                @for (place, series) in self.series.iter().enumerate() {
                    li { (swatch(place, series.signs)) (series.name) }
                }
                @if marks.contains(&Mark::Invalid) {
                    li.how { (loose("hollow", 4.5)) "hollow: invalid, not to be trusted" }
                }
                @if marks.contains(&Mark::Same) {
                    li.how { (loose("dot", 3.0)) "small: same settings in force as another cell" }
                }
                @for (class, _, told) in RULES.iter().filter(|(_, worse, _)| self.rules.iter().any(|rule| rule.worse == *worse)) {
                    li.how { (rule_swatch(class)) (told) }
                }
                @if has_intervals { li.how { (whisker_swatch()) "interval over the rounds" } }
            }
        }
    }
}

/// The class of a rule, whether it is for the worse, and what the legend says.
const RULES: [(&str, bool, &str); 2] = [
    ("limit", true, "a change for the worse"),
    ("limit better", false, "a change for the better"),
];

fn rule_swatch(class: &str) -> Markup {
    html! {
        svg.swatch.narrow viewBox="0 0 14 14" aria-hidden="true" { (line(class, (7.0, 0.0), (7.0, 14.0))) }
    }
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Invalid => "hollow",
            Self::Plain | Self::Same => "dot",
        }
    }

    fn radius(self) -> f64 {
        match self {
            Self::Same => 3.0,
            Self::Plain | Self::Invalid => 4.5,
        }
    }
}

/// The class of a series: its colour, and dashes that distinguish lines without markers and reused colours.
fn class(place: usize, signs: bool) -> String {
    let dashes = if signs { place / COLOURS } else { place };
    let dashes = ["", " dashed", " dotted"][dashes % 3];
    format!("c{}{dashes}", place % COLOURS)
}

fn swatch(place: usize, signs: bool) -> Markup {
    html! {
        svg.swatch viewBox="0 0 26 14" aria-hidden="true" {
            g class=(class(place, signs)) {
                path.line d="M1 7H25" {}
                @if signs { (sign(place, "dot", (13.0, 7.0), 4.5, "")) }
            }
        }
    }
}

/// A marker that belongs to no series.
fn loose(class: &str, radius: f64) -> Markup {
    html! {
        svg.swatch.narrow viewBox="0 0 14 14" aria-hidden="true" {
            g.cx { (sign(0, class, (7.0, 7.0), radius, "")) }
        }
    }
}
