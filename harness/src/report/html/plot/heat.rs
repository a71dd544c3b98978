//! A heat map: each cell relative to the best of its row, with the numbers in the cells.

use maud::{Markup, html};

use super::{Mark, at, figure, label, text_width};

const WIDTH: f64 = 1_080.0;
const ROW: f64 = 44.0;
const HEAD: f64 = 46.0;
const FOOT: f64 = 8.0;
/// Minimum width of a cell: narrower ones could not contain their number.
const CELL_MIN: f64 = 62.0;
const CELL_MAX: f64 = 130.0;
/// The colour scale starts at a multiple of this share below the smallest value, so that close values differ in colour.
const FLOOR_STEP: f64 = 0.1;
/// Maximum start of the colour scale, as a share.
const FLOOR_MAX: f64 = 0.8;
/// Viridis at equal distances: its lightness increases steadily, also for colour-blind readers.
const VIRIDIS: [[f64; 3]; 5] = [
    [68.0, 1.0, 84.0],
    [59.0, 82.0, 139.0],
    [33.0, 145.0, 140.0],
    [94.0, 201.0, 98.0],
    [253.0, 231.0, 37.0],
];

/// A heat map.
pub(in super::super) struct Heat {
    pub(in super::super) caption: String,
    /// A textual description for those who cannot see the plot.
    pub(in super::super) desc: String,
    /// The label of the columns.
    pub(in super::super) x_label: String,
    /// The label of the rows.
    pub(in super::super) y_label: String,
    pub(in super::super) columns: Vec<String>,
    /// Names of the rows and their cells; `None` if there is no figure.
    pub(in super::super) rows: Vec<(String, Vec<Option<HeatCell>>)>,
}

/// One cell.
#[derive(Clone)]
pub(in super::super) struct HeatCell {
    pub(in super::super) value: f64,
    /// The value as text.
    pub(in super::super) text: String,
    /// How it is drawn and read.
    pub(in super::super) mark: Mark,
}

impl Heat {
    pub(in super::super) fn draw(&self) -> Markup {
        let names = self.rows.iter().map(|row| text_width(&row.0));
        let left = names.fold(text_width(&self.y_label) + text_width(" ↓"), f64::max) + 14.0;
        let columns = self.columns.len().max(1) as f64;
        let cell = ((WIDTH - left) / columns).clamp(CELL_MIN, CELL_MAX);
        let size = (
            left + cell * columns + 2.0,
            HEAD + self.rows.len() as f64 * ROW + FOOT,
        );
        let floor = self.floor();
        let drawing = html! {
            (label("axis begin", (left, 15.0), &format!("{} →", self.x_label)))
            (label("axis end", (left - 10.0, 36.0), &format!("{} ↓", self.y_label)))
            @for (place, name) in self.columns.iter().enumerate() {
                (label("tick", (left + (place as f64 + 0.5) * cell, 36.0), name))
            }
            @for (place, (name, cells)) in self.rows.iter().enumerate() {
                @let top = HEAD + place as f64 * ROW;
                (label("tick end", (left - 10.0, top + ROW / 2.0 + 4.5), name))
                (row(cells, floor, (left, top), cell))
            }
        };
        figure(
            &self.caption,
            &self.desc,
            size,
            &drawing,
            &self.legend(floor),
        )
    }

    /// Start of the colour scale, as a share of the best.
    fn floor(&self) -> f64 {
        let lowest = |cells: &Vec<Option<HeatCell>>| {
            let best = best(cells);
            let sound = cells.iter().flatten().filter(|cell| cell.is_sound());
            sound.map(|cell| cell.value / best).fold(1.0, f64::min)
        };
        let lowest = self
            .rows
            .iter()
            .map(|row| lowest(&row.1))
            .fold(1.0, f64::min);
        ((lowest / FLOOR_STEP).floor() * FLOOR_STEP).clamp(0.0, FLOOR_MAX)
    }

    fn legend(&self, floor: f64) -> Markup {
        let has = |mark: Mark| {
            let mut cells = self.rows.iter().flat_map(|row| row.1.iter().flatten());
            cells.any(|cell| cell.mark == mark)
        };
        let stops = (0..=4u8).map(f64::from).map(|stop| colour(stop / 4.0));
        let stops: Vec<String> = stops.map(css).collect();
        html! {
            ul.legend {
                li {
                    (format!("{:.0} %", floor * 100.0))
                    span.ramp style=(format!("background:linear-gradient(to right,{})", stops.join(","))) {}
                    "100 % of the best in its row"
                }
                @if has(Mark::Invalid) { li.how { "dashed frame, ✕: invalid, not to be trusted" } }
                @if has(Mark::Same) { li.how { "=: same settings in force as another cell" } }
            }
        }
    }
}

impl HeatCell {
    fn is_sound(&self) -> bool {
        self.mark != Mark::Invalid && self.value.is_finite()
    }
}

/// The best valid value.
fn best(cells: &[Option<HeatCell>]) -> f64 {
    let sound = cells.iter().flatten().filter(|cell| cell.is_sound());
    let best = sound.map(|cell| cell.value);
    best.fold(f64::MIN_POSITIVE, f64::max)
}

fn row(cells: &[Option<HeatCell>], floor: f64, (left, top): (f64, f64), width: f64) -> Markup {
    let best = best(cells);
    html! {
        @for (place, cell) in cells.iter().enumerate() {
            @let x = left + place as f64 * width;
            @match cell {
                None => (label("tick", (x + width / 2.0, top + ROW / 2.0 + 4.5), "–")),
                Some(cell) => (one(cell, cell.value / best, floor, (x, top), width)),
            }
        }
    }
}

fn one(cell: &HeatCell, share: f64, floor: f64, (x, y): (f64, f64), width: f64) -> Markup {
    let middle = x + width / 2.0;
    let (fill, ink, class) = if cell.is_sound() {
        let fill = colour((share - floor) / (1.0 - floor));
        (css(fill), ink(fill), "heat")
    } else {
        ("none".into(), "", "heat invalid")
    };
    let percent = if cell.is_sound() {
        format!("{:.0} %", share * 100.0)
    } else {
        "✕".into()
    };
    let before = if cell.mark == Mark::Same { "= " } else { "" };
    html! {
        g class=(class) {
            rect x=(at(x + 1.5)) y=(at(y + 1.5)) width=(at(width - 3.0)) height=(at(ROW - 3.0)) rx="3" fill=(fill) {}
            (label(&format!("share {ink}"), (middle, y + 20.0), &format!("{before}{percent}")))
            (label(&format!("small {ink}"), (middle, y + 35.0), &cell.text))
        }
    }
}

/// The colour at a position between 0 and 1 of the scale.
fn colour(share: f64) -> [f64; 3] {
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let part = place - below as f64;
    let (one, other) = (VIRIDIS[below], VIRIDIS[below + 1]);
    std::array::from_fn(|channel| one[channel] + (other[channel] - one[channel]) * part)
}

fn css([red, green, blue]: [f64; 3]) -> String {
    format!("rgb({red:.0},{green:.0},{blue:.0})")
}

/// Relative luminance (WCAG 2, 1.4.3).
fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let channel = channel / 255.0;
        if channel <= 0.04045 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The text colour with more contrast on this colour: black or white.
fn ink(colour: [f64; 3]) -> &'static str {
    let luminance = luminance(colour);
    if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) {
        "on-light"
    } else {
        "on-dark"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_grow_lighter_and_their_numbers_can_be_read() {
        let mut before = -1.0;
        for step in 0..=50 {
            let colour = colour(f64::from(step) / 50.0);
            let luminance = luminance(colour);
            assert!(luminance > before);
            before = luminance;
            let text = if ink(colour) == "on-light" { 0.0 } else { 1.0 };
            let (light, dark) = (luminance.max(text), luminance.min(text));
            assert!((light + 0.05) / (dark + 0.05) >= 4.5, "step {step}");
        }
    }

    #[test]
    fn what_is_not_to_be_trusted_is_not_the_best_of_its_row() {
        let cell = |value, mark| {
            Some(HeatCell {
                value,
                text: String::new(),
                mark,
            })
        };
        let cells = [
            cell(10.0, Mark::Plain),
            cell(99.0, Mark::Invalid),
            None,
            cell(20.0, Mark::Same),
        ];
        assert!((best(&cells) - 20.0).abs() < 1e-9);
        let drawn = row(&cells, 0.0, (0.0, 0.0), 60.0).into_string();
        assert!(drawn.contains("50 %") && drawn.contains("= 100 %") && drawn.contains('✕'));
        assert!(!drawn.contains("495 %"));
    }
}
