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

/// The last parts of a path of names, which tell functions apart, if there is no room for all. The file after it goes first.
fn shortened(name: &str, chars: usize) -> String {
    let fits = |name: &str| name.chars().count() <= chars;
    let shown = if fits(name) { name } else { without_file(name) };
    if fits(shown) {
        return shown.to_owned();
    }
    let count = shown.chars().count();
    let end: String = shown.chars().skip(count + 1 - chars).collect();
    format!("…{end}")
}

/// `respond` of `respond (server.py:12)`.
fn without_file(name: &str) -> &str {
    let file = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once(" ("));
    let plain = file.filter(|(_, file)| !file.contains(['(', ')']));
    plain.map_or(name, |(function, _)| function)
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

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_short_label_has_the_end_of_the_name_and_not_the_file() {
        for (chars, label) in [
            (40, "Server::respond (server.py:12)"),
            (20, "Server::respond"),
            (10, "…::respond"),
            (4, "…ond"),
        ] {
            assert_eq!(shortened("Server::respond (server.py:12)", chars), label);
        }
        assert_eq!(shortened("core::fmt::write", 7), "…:write");
        assert_eq!(shortened("(below main)", 6), "…main)");
        assert_eq!(shortened("f(char (*)[2])", 8), "…(*)[2])");
    }
}
