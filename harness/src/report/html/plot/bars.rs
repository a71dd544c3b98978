//! A bar chart of named settings: one group per name, with bars from zero, intervals and numbers.

use maud::{Markup, html};

use super::{Mark, at, figure, label, line, text_width, whisker_swatch};

const WIDTH: f64 = 480.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 6.0;
const BAR: f64 = 20.0;
const GROUP_GAP: f64 = 12.0;
/// Maximum length of a name in characters: longer ones are cut, since the table has them in full.
const NAME_CHARS_MAX: usize = 26;

/// A bar chart.
pub(in super::super) struct Bars {
    pub(in super::super) caption: String,
    /// A textual description for those who cannot see the plot.
    pub(in super::super) desc: String,
    /// What the length of a bar means, and its unit.
    pub(in super::super) label: String,
    /// What the groups are named by.
    pub(in super::super) of: String,
    /// From top to bottom.
    pub(in super::super) groups: Vec<Group>,
}

/// The bars of one name.
pub(in super::super) struct Group {
    pub(in super::super) name: String,
    pub(in super::super) bars: Vec<Bar>,
}

/// One bar.
pub(in super::super) struct Bar {
    /// Index of its colour; bars of a group differ in colour.
    pub(in super::super) colour: usize,
    /// Its name in the legend.
    pub(in super::super) name: &'static str,
    /// Its length in the unit of the axis.
    pub(in super::super) value: f64,
    /// Ends of the interval.
    pub(in super::super) interval: Option<(f64, f64)>,
    /// How it is drawn and read.
    pub(in super::super) mark: Mark,
    /// The number at its end.
    pub(in super::super) text: String,
}

/// Start and end of the bars, and the scale in units of the drawing per unit of value.
struct Area {
    left: f64,
    end: f64,
    scale: f64,
}

impl Bars {
    pub(in super::super) fn draw(&self) -> Markup {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let names = self
            .groups
            .iter()
            .map(|group| text_width(&shown(&group.name)));
        let left = names.fold(0.0, f64::max) + 16.0;
        let texts = bars().map(|bar| text_width(&bar.text)).fold(0.0, f64::max);
        let end = WIDTH - RIGHT - texts - 8.0;
        let longest = bars()
            .map(|bar| {
                bar.interval
                    .map_or(bar.value, |(_, high)| high.max(bar.value))
            })
            .filter(|value| value.is_finite())
            .fold(f64::MIN_POSITIVE, f64::max);
        // If all bars have length zero, the scale must stay finite.
        let longest = if longest > f64::MIN_POSITIVE {
            longest
        } else {
            1.0
        };
        let scale = (end - left) / longest;
        let area = Area { left, end, scale };
        let mut tops = Vec::new();
        let mut below = TOP;
        for group in &self.groups {
            tops.push(below);
            below += group.bars.len() as f64 * BAR + GROUP_GAP;
        }
        let drawing = html! {
            @for (group, top) in self.groups.iter().zip(tops) { (group.draw(top, &area)) }
            (line("base", (left, TOP), (left, below - GROUP_GAP / 2.0)))
            (label("axis", (f64::midpoint(left, end), below + 16.0), &format!("{}, by {}", self.label, self.of)))
        };
        let size = (WIDTH, below + 26.0);
        figure(&self.caption, &self.desc, size, &drawing, &self.legend())
    }

    fn legend(&self) -> Markup {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let mut names: Vec<(usize, &str)> = bars().map(|bar| (bar.colour, bar.name)).collect();
        names.sort_unstable();
        names.dedup();
        let is_invalid = bars().any(|bar| bar.mark == Mark::Invalid);
        html! {
            ul.legend {
                @for (colour, name) in names {
                    li { (swatch(&format!("c{colour}"), "bar")) (name) }
                }
                @if is_invalid {
                    li.how { (swatch("cx", "bar hollow")) "hollow: invalid, not to be trusted" }
                }
                @if bars().any(|bar| bar.interval.is_some()) {
                    li.how { (whisker_swatch()) "interval over the rounds" }
                }
            }
        }
    }
}

impl Group {
    fn draw(&self, top: f64, area: &Area) -> Markup {
        let middle = top + self.bars.len() as f64 * BAR / 2.0;
        html! {
            (label("tick end", (area.left - 8.0, middle + 4.5), &shown(&self.name)))
            @for (place, bar) in self.bars.iter().enumerate() {
                (bar.draw(top + place as f64 * BAR, area))
            }
        }
    }
}

impl Bar {
    fn draw(&self, top: f64, area: &Area) -> Markup {
        // NaN has no length.
        let value = |value: f64| if value.is_nan() { 0.0 } else { value };
        let room = area.end - area.left;
        let along = |length: f64| area.left + (value(length) * area.scale).clamp(0.0, room);
        let class = match self.mark {
            Mark::Invalid => "bar hollow",
            Mark::Plain | Mark::Same => "bar",
        };
        let length = along(self.value) - area.left;
        let middle = top + BAR / 2.0;
        let (low, high) = self.interval.unwrap_or((self.value, self.value));
        html! {
            g class=(format!("c{}", self.colour)) {
                rect class=(class) x=(at(area.left)) y=(at(top + 2.0)) width=(at(length)) height=(at(BAR - 4.0)) {}
                @if self.interval.is_some() {
                    path.whisker.over d=(format!(
                        "M{low:.1} {middle:.1}H{high:.1}M{low:.1} {above:.1}v8M{high:.1} {above:.1}v8",
                        low = along(low), high = along(high), above = middle - 4.0
                    )) {}
                }
            }
            (label("tick begin", (along(high.max(self.value)) + 7.0, middle + 4.5), &self.text))
        }
    }
}

fn shown(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    let mut cut: String = name.chars().take(NAME_CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

fn swatch(colour: &str, class: &str) -> Markup {
    html! {
        svg.swatch.narrow viewBox="0 0 14 14" aria-hidden="true" {
            g class=(colour) { rect class=(class) x="1" y="1" width="12" height="12" {} }
        }
    }
}
