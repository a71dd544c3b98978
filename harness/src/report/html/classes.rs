//! A view of a sweep: the axis along which plots run, and the classes of the other axes.

use super::plot::PlotAxis;
use super::{number, safe};
use crate::bench::{AxisVerdict, Estimate, SweepAxis, SweepCell, SweepResult};
use crate::data::Unit;

/// The axis of message sizes, by which other axes are grouped.
const PAYLOAD: &str = "payload";

/// A sweep, divided by its axes.
pub(super) struct SweepView<'a> {
    pub(super) result: &'a SweepResult,
    /// Index of the axis along which plots run; `None` if nothing was varied.
    pub(super) along: Option<usize>,
    /// Groups of cells with equal settings of all other axes.
    pub(super) classes: Vec<Class<'a>>,
}

/// The cells that differ only in the axis along which plots run.
pub(super) struct Class<'a> {
    /// The settings of the other axes, in the order of the axes.
    pub(super) key: Vec<(&'a str, &'a str)>,
    /// Indices of the cells, in the order of the values of the axis.
    pub(super) cells: Vec<usize>,
}

/// How an axis is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisKind {
    /// Sizes and counts, on a logarithmic scale.
    Numbers,
    /// Everything else, as categories.
    Names,
}

impl<'a> SweepView<'a> {
    pub(super) fn of(result: &'a SweepResult) -> Self {
        let along = along(&result.axes);
        let mut classes: Vec<Class> = Vec::new();
        for (place, cell) in result.cells.iter().enumerate() {
            let others = cell.axes.iter().enumerate();
            let others = others.filter(|(axis, _)| Some(*axis) != along);
            let key: Vec<(&str, &str)> = others
                .map(|(_, (name, setting))| (name.as_str(), setting.requested.as_str()))
                .collect();
            match classes.iter_mut().find(|class| class.key == key) {
                Some(class) => class.cells.push(place),
                None => classes.push(Class {
                    key,
                    cells: vec![place],
                }),
            }
        }
        if let Some(axis) = along.and_then(|along| result.axes.get(along)) {
            let order = |place: &usize| {
                let value = result.cells[*place].requested(&axis.name);
                axis.values
                    .iter()
                    .position(|one| Some(one.as_str()) == value)
            };
            for class in &mut classes {
                class.cells.sort_by_key(order);
            }
        }
        Self {
            result,
            along,
            classes,
        }
    }

    pub(super) fn axis(&self) -> Option<&'a SweepAxis> {
        self.result.axes.get(self.along?)
    }

    /// The axis that determines the colours of classes: payload, or the first other axis.
    pub(super) fn colours(&self) -> Option<&'a SweepAxis> {
        let others = || {
            let all = self.result.axes.iter().enumerate();
            all.filter(|(place, _)| Some(*place) != self.along)
                .map(|(_, axis)| axis)
        };
        others()
            .find(|axis| axis.name == PAYLOAD)
            .or(others().next())
    }

    /// The classes of each plot: those that differ only in the axis of the colours.
    pub(super) fn plots(&self) -> Vec<(String, Vec<&Class<'a>>)> {
        let colours = self.colours().map(|axis| axis.name.as_str());
        let mut plots: Vec<(String, Vec<&Class>)> = Vec::new();
        for class in &self.classes {
            let others = class.key.iter().filter(|(name, _)| Some(*name) != colours);
            let others: Vec<(&str, &str)> = others.copied().collect();
            let name = self.named(&others);
            match plots.iter_mut().find(|plot| plot.0 == name) {
                Some(plot) => plot.1.push(class),
                None => plots.push((name, vec![class])),
            }
        }
        plots
    }

    /// Settings in words: `payload 1 KiB, connections 50`.
    pub(super) fn named(&self, settings: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
        let parts = settings.iter().map(|(name, value)| {
            let (name, value) = (name.as_ref(), value.as_ref());
            format!("{} {}", safe(name), self.value(name, value))
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// A value of this axis in readable form.
    pub(super) fn value(&self, axis: &str, value: &str) -> String {
        let axis = self.result.axes.iter().find(|one| one.name == axis);
        match (axis, number::parsed(value)) {
            (Some(axis), Some(0.0)) if axis.is_bytes && axis.name != PAYLOAD => "auto".into(),
            (Some(axis), Some(bytes)) if axis.is_bytes => number::figure(bytes, Unit::Bytes),
            _ => safe(value),
        }
    }

    /// The cell's value of the axis along which plots run.
    pub(super) fn along_value(&self, cell: &SweepCell) -> Option<String> {
        let name = &self.axis()?.name;
        Some(self.value(name, cell.requested(name)?))
    }

    /// The cell itself, or the one that it was merged with.
    pub(super) fn measured(&self, place: usize) -> &'a SweepCell {
        let cell = &self.result.cells[place];
        let other = cell.same_as.and_then(|other| self.result.cells.get(other));
        other.unwrap_or(cell)
    }

    pub(super) fn metric(&self, place: usize, name: &str) -> Option<&'a Estimate> {
        self.measured(place).metrics.get(name)
    }

    /// The verdict for this class.
    pub(super) fn verdict(&self, class: &Class) -> Option<&'a AxisVerdict> {
        let axis = &self.axis()?.name;
        let verdicts = &self.result.recommendation.verdicts;
        verdicts.iter().find(|verdict| {
            let holds = |(name, value): &(String, String)| {
                class.key.contains(&(name.as_str(), value.as_str()))
            };
            verdict.axis == *axis && verdict.class.iter().all(holds)
        })
    }

    /// The axis of a plot, for numeric values.
    pub(super) fn scale(&self, axis: &SweepAxis) -> PlotAxis {
        let ticks = axis.values.iter().filter_map(|value| {
            let number = number::parsed(value)?;
            // The label of the axis contains the unit.
            let label = self.value(&axis.name, value);
            let label = label.trim_end_matches("\u{a0}B");
            Some((number, label.to_owned()))
        });
        let unit = if axis.is_bytes { ", bytes" } else { "" };
        let label = format!("{}{unit} (log scale)", safe(&axis.name));
        PlotAxis::settings(label, &ticks.collect::<Vec<_>>())
    }
}

impl AxisKind {
    pub(super) fn of(axis: &SweepAxis) -> Self {
        let are_numbers = axis
            .values
            .iter()
            .all(|value| number::parsed(value).is_some());
        if are_numbers && !axis.values.is_empty() {
            Self::Numbers
        } else {
            Self::Names
        }
    }
}

/// Prefers sizes other than the payload, then counts, then names, then the payload.
fn along(axes: &[SweepAxis]) -> Option<usize> {
    let rank = |axis: &SweepAxis| match (axis.name == PAYLOAD, axis.is_bytes, AxisKind::of(axis)) {
        (true, ..) => 3,
        (_, true, AxisKind::Numbers) => 0,
        (_, _, AxisKind::Numbers) => 1,
        (_, _, AxisKind::Names) => 2,
    };
    (0..axes.len()).min_by_key(|place| (rank(&axes[*place]), *place))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn axis(name: &str, values: &[&str], is_bytes: bool) -> SweepAxis {
        SweepAxis {
            name: name.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            is_bytes,
        }
    }

    #[test]
    fn plots_run_along_a_size_that_is_not_the_payload() {
        let payload = axis("payload", &["64"], true);
        let buffer = axis("server.recv_buffer", &["0", "64"], true);
        let connections = axis("connections", &["1", "50"], false);
        let model = axis("server.model", &["epoll", "threads"], false);
        assert_eq!(AxisKind::of(&model), AxisKind::Names);
        let of =
            |axes: &[&SweepAxis]| along(&axes.iter().map(|&axis| axis.clone()).collect::<Vec<_>>());
        assert_eq!(of(&[&payload, &connections, &buffer]), Some(2));
        assert_eq!(of(&[&payload, &model, &connections]), Some(2));
        assert_eq!(of(&[&payload, &model]), Some(1));
        assert_eq!(of(&[&payload]), Some(0));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn classes_hold_one_cell_for_each_value() {
        let result = sample::sweep();
        let grid = SweepView::of(&result);
        assert_eq!(
            grid.axis().map(|axis| axis.name.as_str()),
            Some("server.recv_buffer")
        );
        let sizes: Vec<usize> = grid.classes.iter().map(|class| class.cells.len()).collect();
        assert_eq!(sizes, [14, 14, 14, 14]);
        assert_eq!(grid.plots().len(), 1);
        assert_eq!(grid.value("server.recv_buffer", "0"), "auto");
        assert_eq!(grid.value("payload", "1024"), "1\u{a0}KiB");
        assert!(grid.verdict(&grid.classes[0]).is_some());
    }
}
