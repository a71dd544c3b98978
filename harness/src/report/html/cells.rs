//! The table of all cells of a sweep, including invalid ones.

use std::borrow::Cow;

use maud::{Markup, html};

use super::classes::{Class, SweepView};
use super::{number, reason, safe};
use crate::bench::{Estimate, SweepCell};

/// The columns of figures: metric, heading, and whether a bar shows the share of the best.
const COLUMNS: [(&str, &str, bool); 5] = [
    ("ops_per_s", "throughput", true),
    ("bytes_per_s", "data, both directions", false),
    ("p50_us", "p50", false),
    ("p99_us", "p99", false),
    ("server_cpu_us_per_op", "server CPU per operation", false),
];

/// The notes of all cells, each kind once.
struct Notes {
    kinds: Vec<NoteKind>,
}

/// A kind of note.
struct NoteKind {
    /// Its stable word.
    word: Cow<'static, str>,
    /// The sentence of its first occurrence.
    sentence: String,
    cells: usize,
    /// Whether the sentences of the cells differ.
    differs: bool,
}

/// What all rows share.
struct Table<'a> {
    grid: &'a SweepView<'a>,
    notes: Notes,
    columns: Vec<(&'static str, &'static str, bool)>,
    has_effective: bool,
}

/// The table and the legend of its marks.
pub(super) fn table(grid: &SweepView) -> Markup {
    let cells = &grid.result.cells;
    let columns = COLUMNS.into_iter();
    let table = Table {
        grid,
        notes: Notes::of(cells),
        columns: columns
            .filter(|column| cells.iter().any(|cell| cell.metrics.contains_key(column.0)))
            .collect(),
        has_effective: (cells.iter().flat_map(|cell| &cell.axes))
            .any(|(_, setting)| setting.effective.is_some()),
    };
    let first = grid
        .axis()
        .map_or("settings".into(), |axis| safe(&axis.name));
    html! {
        section {
            h2 { "All cells" }
            div.scroll tabindex="0" role="group" aria-label="table of all cells" {
                table {
                    caption { "Estimates over " (grid.result.rounds) " rounds, and below each its interval." }
                    thead {
                        tr {
                            th scope="col" { (first) }
                            @if table.has_effective { th scope="col" { "in force" } }
                            @for (_, heading, _) in &table.columns { th scope="col" { (heading) } }
                        }
                    }
                    @for class in &grid.classes { (table.class(class)) }
                }
            }
            (table.notes.legend())
        }
    }
}

impl Table<'_> {
    fn class(&self, class: &Class) -> Markup {
        let width = self.width();
        html! {
            tbody {
                @if !class.key.is_empty() && self.grid.along.is_some() {
                    tr.class {
                        th scope="rowgroup" { (self.grid.named(&class.key)) }
                        td colspan=(width - 1) {}
                    }
                }
                @for place in &class.cells { (self.row(class, *place)) }
            }
        }
    }

    fn width(&self) -> usize {
        1 + usize::from(self.has_effective) + self.columns.len()
    }

    /// The row of a cell, with remarks in a row below: a column of sentences would push the figures off a narrow
    /// screen.
    fn row(&self, class: &Class, place: usize) -> Markup {
        let cell = &self.grid.result.cells[place];
        let is_invalid = !cell.valid || !self.grid.measured(place).valid;
        let kind = if is_invalid {
            "invalid"
        } else if cell.same_as.is_some() {
            "same"
        } else {
            ""
        };
        let name = self.grid.along_value(cell);
        html! {
            tr class=(kind) {
                th scope="row" {
                    (name.unwrap_or_else(|| "default".into())) (self.notes.marks(cell)) " "
                    (self.badges(class, cell, is_invalid))
                }
                @if self.has_effective { td { (self.effective(cell)) } }
                @match cell.same_as.and_then(|other| self.grid.result.cells.get(other)) {
                    Some(other) => td.merged colspan=(self.columns.len()) {
                        "same settings in force as " (self.other(cell, other))
                    },
                    None => @for (metric, _, has_bar) in &self.columns {
                        (self.figure(class, cell, metric, *has_bar))
                    },
                }
            }
            @if !cell.reasons.is_empty() || (cell.why.is_some() && cell.same_as.is_none()) {
                tr class=(format!("remark {kind}")) {
                    td colspan=(self.width()) {
                        div {
                            @for text in &cell.reasons { p { (reason(text)) } }
                            @if let Some(why) = &cell.why { p.why { (safe(why)) } }
                        }
                    }
                }
            }
        }
    }

    /// The settings in force; axes other than that of the row are named.
    fn effective(&self, cell: &SweepCell) -> Markup {
        let own = self.grid.axis().map(|axis| axis.name.as_str());
        let seen = cell.axes.iter().filter_map(|(name, setting)| {
            let value = self.grid.value(name, setting.effective.as_deref()?);
            Some((name, value))
        });
        html! {
            @for (name, value) in seen {
                @if Some(name.as_str()) == own { (value) } @else { small { (safe(name)) " " (value) } }
            }
        }
    }

    fn figure(&self, class: &Class, cell: &SweepCell, metric: &str, has_bar: bool) -> Markup {
        let Some(estimate) = cell.metrics.get(metric) else {
            return html! { td.number { "–" } };
        };
        let unit = estimate.unit;
        let best = self.best(class, metric);
        html! {
            td.number {
                (number::figure(estimate.estimate, unit))
                small { (number::interval(estimate.low, estimate.high, unit)) }
                @if has_bar && cell.valid && best > 0.0 && estimate.estimate.is_finite() {
                    span.share style=(format!("--s:{:.1}%", estimate.estimate / best * 100.0)) {}
                }
            }
        }
    }

    fn best(&self, class: &Class, metric: &str) -> f64 {
        let cells = class
            .cells
            .iter()
            .map(|place| &self.grid.result.cells[*place]);
        let sound = cells.filter(|cell| cell.valid);
        let figures = sound.filter_map(|cell| cell.metrics.get(metric));
        figures
            .map(|one: &Estimate| one.estimate)
            .fold(0.0, f64::max)
    }

    /// The settings of the cell that was measured instead, as short as possible.
    fn other(&self, cell: &SweepCell, other: &SweepCell) -> String {
        let differ = other.axes.iter().zip(&cell.axes);
        let differ = differ.filter(|(one, own)| one.1.requested != own.1.requested);
        let settings: Vec<(&str, &str)> = differ
            .map(|(one, _)| (one.0.as_str(), one.1.requested.as_str()))
            .collect();
        match (settings.as_slice(), self.grid.axis()) {
            ([(name, value)], Some(axis)) if *name == axis.name => self.grid.value(name, value),
            _ => self.grid.named(&settings),
        }
    }

    fn badges(&self, class: &Class, cell: &SweepCell, is_invalid: bool) -> Markup {
        let requested = self.grid.axis().and_then(|axis| cell.requested(&axis.name));
        let verdict = self.grid.verdict(class).filter(|_| requested.is_some());
        let is_recommended = verdict.is_some_and(|verdict| verdict.value.as_deref() == requested);
        let is_baseline =
            verdict.is_some_and(|verdict| Some(verdict.baseline.as_str()) == requested);
        html! {
            @if is_invalid { span.badge.bad { "✕ invalid" } }
            @if is_recommended { span.badge.good { "✓ recommended" } }
            @if is_baseline { span.badge.plain { "baseline" } }
        }
    }
}

impl Notes {
    fn of(cells: &[SweepCell]) -> Self {
        let mut kinds: Vec<NoteKind> = Vec::new();
        for note in cells.iter().flat_map(|cell| &cell.notes) {
            match kinds.iter_mut().find(|kind| kind.word == note.word) {
                Some(kind) => {
                    kind.cells += 1;
                    kind.differs |= kind.sentence != note.sentence;
                }
                None => kinds.push(NoteKind {
                    word: note.word.clone(),
                    sentence: note.sentence.clone(),
                    cells: 1,
                    differs: false,
                }),
            }
        }
        Self { kinds }
    }

    fn marks(&self, cell: &SweepCell) -> Markup {
        html! {
            @if !cell.notes.is_empty() {
                sup.marks {
                    @for note in &cell.notes {
                        @if let Some(place) = self.kinds.iter().position(|kind| kind.word == note.word) {
                            abbr title=(safe(&note.to_string())) { (mark(place)) } " "
                        }
                    }
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            @if !self.kinds.is_empty() {
                ul.notes {
                    @for (place, kind) in self.kinds.iter().enumerate() {
                        li {
                            b { (mark(place)) }
                            span {
                                span.word { (kind.word) } " " (safe(&kind.sentence))
                                @if kind.differs {
                                    " (" (kind.cells) " cells with different figures)"
                                } @else if kind.cells > 1 {
                                    " (" (kind.cells) " cells)"
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A mark: `a` to `z`, then numbers.
fn mark(place: usize) -> String {
    match u8::try_from(place) {
        Ok(place @ 0..26) => char::from(b'a' + place).to_string(),
        _ => (place + 1).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_cell_has_its_row_and_an_invalid_one_its_reason() {
        let result = sample::sweep();
        let text = table(&SweepView::of(&result)).into_string();
        assert_eq!(text.matches("scope=\"row\"").count(), result.cells.len());
        // One of the two is merged with a third.
        assert_eq!(text.matches("✕ invalid").count(), 3);
        assert_eq!(text.matches("client-starved").count(), 2);
        assert_eq!(text.matches("in force as 128\u{a0}B").count(), 4);
        assert_eq!(text.matches("✓ recommended").count(), 1);
    }

    #[test]
    fn a_kind_of_note_is_told_once() {
        let result = sample::sweep();
        let notes = Notes::of(&result.cells);
        assert_eq!(notes.kinds.len(), 2);
        assert!(notes.kinds.iter().any(|kind| kind.differs));
        let legend = notes.legend().into_string();
        assert_eq!(legend.matches("client-saturated").count(), 1);
        assert_eq!(
            (mark(0), mark(25), mark(26)),
            ("a".into(), "z".into(), "27".into())
        );
    }
}
