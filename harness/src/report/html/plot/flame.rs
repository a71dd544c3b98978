//! A differential flame graph: the calls of two programs, each frame as wide as the mean of both costs, red where it became more
//! expensive and blue where it became cheaper (Gregg, The flame graph, CACM 59, 2016; differential flame graphs).
//!
//! Drawn here, as `inferno` has colours of its own, which do not follow the reader's dark mode, and a script for all else.

use maud::{Markup, html};

use super::{at, figure};

const WIDTH: f64 = 1100.0;
/// Height of a row, and of the gap below it.
const ROW: f64 = 20.0;
const GAP: f64 = 1.0;
/// Width of a character of a label.
const CHAR: f64 = 6.9;
/// Frames narrower than this are not drawn.
const WIDTH_MIN: f64 = 1.0;
/// A difference smaller than this part of the whole has no colour: it may be noise.
const PART_MIN: f64 = 0.002;
/// Steps of each colour.
const SHADES: f64 = 4.0;

/// A flame graph.
pub(in super::super) struct Flame {
    pub(in super::super) caption: String,
    /// A textual description for those who cannot see the plot.
    pub(in super::super) desc: String,
    pub(in super::super) root: Box<FlameFrame>,
}

/// A frame, with the frames on top of it.
pub(in super::super) struct FlameFrame {
    pub(in super::super) name: String,
    /// Costs before and after.
    pub(in super::super) before: f64,
    pub(in super::super) after: f64,
    /// The tooltip.
    pub(in super::super) tip: String,
    pub(in super::super) above: Vec<FlameFrame>,
}

/// A frame in its place.
struct Placed<'f> {
    frame: &'f FlameFrame,
    x: f64,
    width: f64,
    row: usize,
}

impl FlameFrame {
    fn mean(&self) -> f64 {
        f64::midpoint(self.before, self.after)
    }
}

impl Flame {
    pub(in super::super) fn draw(&self) -> Markup {
        let whole = self.root.mean();
        let mut placed = Vec::new();
        if whole > 0.0 {
            place(&self.root, 0.0, 0, WIDTH / whole, &mut placed);
        }
        let rows = placed
            .iter()
            .map(|placed| placed.row + 1)
            .max()
            .unwrap_or(1);
        let height = rows as f64 * ROW;
        let drawing = html! {
            @for placed in &placed { (self.frame(placed, height)) }
        };
        figure(
            &self.caption,
            &self.desc,
            (WIDTH, height),
            &drawing,
            &legend(),
        )
    }

    /// The first row is at the bottom.
    fn frame(&self, placed: &Placed, height: f64) -> Markup {
        let y = height - (placed.row + 1) as f64 * ROW;
        let width = (placed.width - GAP).max(0.5);
        let chars = ((width - 6.0) / CHAR).max(0.0) as usize;
        html! {
            g.frame {
                title { (placed.frame.tip) }
                rect class=(self.shade(placed.frame)) x=(at(placed.x)) y=(at(y)) width=(at(width)) height=(at(ROW - GAP)) {}
                @if chars >= 3 {
                    text.begin.frame x=(at(placed.x + 4.0)) y=(at(y + 14.0)) { (shortened(&placed.frame.name, chars)) }
                }
            }
        }
    }

    /// Grey for what is the same, or `more` and `less` with a number from 1 to 4: the share of the frame that is new or gone.
    fn shade(&self, frame: &FlameFrame) -> String {
        let whole = self.root.before.max(self.root.after);
        let difference = frame.after - frame.before;
        let share = difference.abs() / frame.after.max(frame.before);
        if difference.abs() < whole * PART_MIN || share < 0.01 {
            return "flame".to_owned();
        }
        let direction = if difference > 0.0 { "more" } else { "less" };
        format!(
            "flame {direction} d{:.0}",
            (share * SHADES).ceil().clamp(1.0, SHADES)
        )
    }
}

fn place<'f>(frame: &'f FlameFrame, x: f64, row: usize, scale: f64, placed: &mut Vec<Placed<'f>>) {
    let width = frame.mean() * scale;
    if width < WIDTH_MIN {
        return;
    }
    placed.push(Placed {
        frame,
        x,
        width,
        row,
    });
    let mut x = x;
    for above in &frame.above {
        place(above, x, row + 1, scale, placed);
        x += above.mean() * scale;
    }
}

/// The last parts of a path of names, which tell functions apart, if there is no room for all.
fn shortened(name: &str, chars: usize) -> String {
    let count = name.chars().count();
    if count <= chars {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count + 1 - chars).collect();
    format!("…{end}")
}

fn legend() -> Markup {
    let swatch = |class: &str| {
        html! { svg.swatch viewBox="0 0 26 14" aria-hidden="true" { rect class=(class) width="26" height="14" {} } }
    };
    html! {
        ul.legend {
            li { (swatch("flame more d4")) "more expensive in the candidate" }
            li { (swatch("flame less d4")) "cheaper" }
            li { (swatch("flame")) "the same" }
            li.how { "width: the mean of both; the darker, the larger the part of a frame that changed" }
        }
    }
}
