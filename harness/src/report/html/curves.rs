//! Percentile curves of response times, with the tail stretched as in `HdrHistogram` plots.

use maud::{Markup, html};

use super::classes::{Class, SweepView};
use super::number;
use super::plot::{Lines, Mark, PlotAxis, Point, Series};
use crate::data::Unit;
use crate::load::LoadResult;
use crate::load::recorder::Times;

/// Maximum number of curves per plot: more could not be distinguished.
const CURVES_MAX: usize = 6;
/// The last quantile of the plots.
const LAST: f64 = 0.9999;
/// Number of points per nine of a curve drawn from a histogram.
const STEPS_A_NINE: u32 = 40;

/// The curves of one class of a sweep: the recommended value, the baseline, and an even selection of the others.
pub(super) fn of_class(grid: &SweepView, class: &Class) -> Option<Markup> {
    let chosen = chosen(grid, class);
    let series: Vec<Series> = chosen
        .iter()
        .map(|place| {
            let cell = &grid.result.cells[*place];
            let value = grid
                .along_value(cell)
                .unwrap_or_else(|| "all rounds".into());
            Series {
                name: if cell.valid {
                    value
                } else {
                    format!("{value} (invalid)")
                },
                points: points(&cell.curve),
                signs: false,
            }
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    let of = grid.named(&class.key);
    let comma = if of.is_empty() { "" } else { ", " };
    let by = grid.axis().map_or(String::new(), |axis| {
        format!(" by {}", super::safe(&axis.name))
    });
    let all = drawable(grid, class).len();
    let plot = plot(
        format!("Response times{by}{comma}{of}"),
        "response time",
        series,
    );
    Some(html! {
        div {
            (plot)
            @if all > chosen.len() {
                p.aside { (chosen.len()) " of " (all) " cells: the recommended value, the baseline, and an even selection of the others." }
            }
        }
    })
}

/// Response and service times of a load.
pub(super) fn of_load(result: &LoadResult) -> Option<Markup> {
    let both = [
        ("response time, from the intended start", &result.histogram),
        (
            "service time, from the last byte written",
            &result.service_histogram,
        ),
    ];
    let series: Vec<Series> = both
        .into_iter()
        .map(|(name, times)| Series {
            name: name.into(),
            points: points(&sampled(times)),
            signs: false,
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    if series.is_empty() {
        return None;
    }
    let unanswered = result.metrics.unanswered;
    Some(html! {
        div {
            (plot("Response and service times".into(), "time", series))
            @if unanswered > 0 {
                p.aside { (number::count(unanswered)) " requests without a reply are not in the curves; they count in the percentiles of response times." }
            }
        }
    })
}

fn plot(caption: String, label: &str, series: Vec<Series>) -> Markup {
    let mut desc = format!("{caption}: percentiles to 99.99 % from left to right.");
    for one in &series {
        if let (Some(first), Some(last)) = (one.points.first(), one.points.last()) {
            let (first, last) = (first.y, last.y);
            desc.push_str(&format!(
                " {}: from {} to {}.",
                one.name,
                number::figure(first, Unit::Micros),
                number::figure(last, Unit::Micros)
            ));
        }
    }
    let values = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.y);
    let y = PlotAxis::figures(label, Unit::Micros, values);
    let x = PlotAxis::percentiles();
    Lines {
        rules: Vec::new(),
        caption,
        desc,
        x,
        y,
        series,
    }
    .draw()
}

/// The cells that have their own curve.
fn drawable(grid: &SweepView, class: &Class) -> Vec<usize> {
    let own = |place: &usize| {
        let cell = &grid.result.cells[*place];
        cell.same_as.is_none() && !cell.curve.is_empty()
    };
    class.cells.iter().copied().filter(own).collect()
}

/// The cells to draw, at most [`CURVES_MAX`], in order.
fn chosen(grid: &SweepView, class: &Class) -> Vec<usize> {
    let all = drawable(grid, class);
    if all.len() <= CURVES_MAX {
        return all;
    }
    let verdict = grid.verdict(class);
    let axis = grid.axis().map(|axis| axis.name.as_str());
    let is_named = |place: &usize| {
        let value = axis.and_then(|axis| grid.result.cells[*place].requested(axis));
        verdict.is_some_and(|verdict| {
            value == verdict.value.as_deref() || value == Some(verdict.baseline.as_str())
        })
    };
    let mut kept: Vec<usize> = all.iter().copied().filter(is_named).take(2).collect();
    let rest: Vec<usize> = all
        .iter()
        .copied()
        .filter(|place| !kept.contains(place))
        .collect();
    let room = CURVES_MAX - kept.len();
    let even = (0..room).map(|step| rest[step * (rest.len() - 1) / (room - 1)]);
    kept.extend(even);
    all.into_iter()
        .filter(|place| kept.contains(place))
        .collect()
}

fn points(curve: &[(f64, f64)]) -> Vec<Point> {
    let drawn = curve
        .iter()
        .filter(|(quantile, _)| *quantile <= LAST + 1e-9);
    drawn
        .map(|&(x, y)| Point {
            x,
            y,
            interval: None,
            mark: Mark::Plain,
            tip: String::new(),
        })
        .collect()
}

/// Points (quantile, microseconds), up to the last quantile that has a sample above it.
fn sampled(times: &Times) -> Vec<(f64, f64)> {
    let steps = (0..=4 * STEPS_A_NINE).map(f64::from);
    let quantiles = steps.map(|step| 1.0 - 10f64.powf(-step / f64::from(STEPS_A_NINE)));
    quantiles
        .take_while(|quantile| (1.0 - quantile) * times.len() as f64 >= 1.0 - 1e-6)
        .map(|quantile| (quantile, times.value_at_quantile(quantile) as f64 / 1e3))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_curve_ends_where_its_samples_end() {
        let mut times = crate::load::recorder::times();
        (1..=1000u64).for_each(|value| times.saturating_record(value * 1000));
        let curve = sampled(&times);
        let (quantile, last) = curve[curve.len() - 1];
        assert!(
            (quantile - 0.999).abs() < 1e-6 && (last - 999.0).abs() < 1.5,
            "{quantile} {last}"
        );
        assert!(curve.is_sorted_by(|one, other| one.1 <= other.1));
        let drawn = of_load(&sample::load(true)).map(maud::Markup::into_string);
        assert!(drawn.is_some_and(|plot| plot.contains("service time")));
    }

    #[test]
    fn the_baseline_and_what_is_recommended_are_drawn() {
        let result = sample::sweep();
        let grid = SweepView::of(&result);
        let class = &grid.classes[3];
        let chosen = chosen(&grid, class);
        let values: Vec<_> = chosen
            .iter()
            .filter_map(|place| result.cells[*place].requested("server.recv_buffer"))
            .collect();
        assert_eq!(values.len(), CURVES_MAX);
        assert!(values.contains(&"0") && values.contains(&"131072") && values.contains(&"262144"));
    }
}
