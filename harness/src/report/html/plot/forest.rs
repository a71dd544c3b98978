//! A forest plot: one line with its interval per comparison, on a common scale relative to the limit. It is drawn
//! twice, for wide screens and for phones; the style sheet shows one of the drawings.

use maud::{Markup, html};

use super::{figure, label, line, sign, text_width, whisker_swatch};

const WIDTH: f64 = 960.0;
const TOP: f64 = 22.0;
const ROW: f64 = 26.0;
/// Width of the drawing for phones, where name and numbers are above each line instead of beside it.
const PHONE_WIDTH: f64 = 360.0;
const PHONE_ROW: f64 = 54.0;
/// Space between the line and the edge of the drawing for phones.
const PHONE_MARGIN: f64 = 8.0;
/// Start of the scale in multiples of the limit; lower values are drawn at the edge.
const LOW: f64 = -1.5;
/// End of the scale in multiples of the limit; higher values are drawn at the edge.
const HIGH: f64 = 2.5;

/// A forest plot.
pub(in super::super) struct Forest {
    pub(in super::super) caption: String,
    /// A textual description for those who cannot see the plot.
    pub(in super::super) desc: String,
    /// The label of the axis.
    pub(in super::super) label: String,
    /// From top to bottom.
    pub(in super::super) rows: Vec<Branch>,
}

/// One line. Values are in multiples of the limit: 1 is the limit itself.
pub(in super::super) struct Branch {
    /// What was compared.
    pub(in super::super) name: String,
    /// Index of its colour.
    pub(in super::super) colour: usize,
    /// The estimate.
    pub(in super::super) value: f64,
    /// Ends of the interval.
    pub(in super::super) interval: (f64, f64),
    /// The numbers at the end of the line.
    pub(in super::super) text: String,
}

/// Start and end of the scale.
struct Area {
    left: f64,
    right: f64,
}

impl Area {
    fn x(&self, limits: f64) -> f64 {
        let share = (limits.clamp(LOW, HIGH) - LOW) / (HIGH - LOW);
        self.left + share * (self.right - self.left)
    }
}

impl Forest {
    pub(in super::super) fn draw(&self) -> Markup {
        html! {
            div.wide.desk { (self.on_a_desk()) }
            div.phone { (self.on_a_phone()) }
        }
    }

    fn on_a_desk(&self) -> Markup {
        let widest = |of: fn(&Branch) -> &str| {
            let widths = self.rows.iter().map(|row| text_width(of(row)));
            widths.fold(0.0, f64::max)
        };
        let area = Area {
            left: widest(|row| &row.name) + 12.0,
            right: WIDTH - widest(|row| &row.text) - 12.0,
        };
        let below = TOP + self.rows.len() as f64 * ROW;
        let rows = html! {
            @for (place, row) in self.rows.iter().enumerate() {
                (row.beside(TOP + (place as f64 + 0.5) * ROW, &area))
            }
        };
        self.figure((WIDTH, below), &area, &rows)
    }

    fn on_a_phone(&self) -> Markup {
        let area = Area {
            left: PHONE_MARGIN,
            right: PHONE_WIDTH - PHONE_MARGIN,
        };
        let below = TOP + self.rows.len() as f64 * PHONE_ROW;
        let rows = html! {
            @for (place, row) in self.rows.iter().enumerate() {
                (row.below(TOP + place as f64 * PHONE_ROW, &area))
            }
        };
        self.figure((PHONE_WIDTH, below), &area, &rows)
    }

    /// The rows with the scale, which begins above them and ends at `size.1`.
    fn figure(&self, size: (f64, f64), area: &Area, rows: &Markup) -> Markup {
        let (width, below) = size;
        let mark = |limits: f64, class: &str, anchor: &str, text: &str| {
            let x = area.x(limits);
            html! {
                (line(class, (x, TOP - 4.0), (x, below)))
                (label(anchor, (x, TOP - 9.0), text))
            }
        };
        let drawing = html! {
            (mark(0.0, "base", "tick end", "no change"))
            (mark(1.0, "limit", "tick begin", "budget"))
            (rows)
            (label("axis", (f64::midpoint(area.left, area.right), below + 16.0), &self.label))
        };
        let legend = html! {
            ul.legend {
                li.how { (whisker_swatch()) "interval; one that ends at the edge continues beyond it" }
            }
        };
        figure(
            &self.caption,
            &self.desc,
            (width, below + 26.0),
            &drawing,
            &legend,
        )
    }
}

impl Branch {
    /// The line with its name and numbers beside it.
    fn beside(&self, middle: f64, area: &Area) -> Markup {
        html! {
            (label("tick end", (area.left - 10.0, middle + 4.5), &self.name))
            (self.line(middle, area))
            (label("tick begin", (area.right + 10.0, middle + 4.5), &self.text))
        }
    }

    /// The line below its name and numbers.
    fn below(&self, top: f64, area: &Area) -> Markup {
        html! {
            (label("tick begin", (area.left, top + 14.0), &self.name))
            (label("tick begin", (area.left, top + 29.0), &self.text))
            (self.line(top + 40.0, area))
        }
    }

    fn line(&self, middle: f64, area: &Area) -> Markup {
        let (low, high) = self.interval;
        let (from, to) = (area.x(low), area.x(high));
        html! {
            g class=(format!("c{}", self.colour)) {
                path.whisker.over d=(format!(
                    "M{from:.1} {middle:.1}H{to:.1}M{from:.1} {above:.1}v8M{to:.1} {above:.1}v8",
                    above = middle - 4.0
                )) {}
                (sign(0, "dot", (area.x(self.value), middle), 4.5, &self.text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_lies_right_of_no_change_and_nothing_leaves_the_scale() {
        let area = Area {
            left: 100.0,
            right: 500.0,
        };
        assert_eq!((area.x(0.0), area.x(1.0)), (250.0, 350.0));
        assert_eq!((area.x(-99.0), area.x(1e9)), (100.0, 500.0));
    }
}
