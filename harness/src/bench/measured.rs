//! What a sweep, or a part of one, has measured, and the result that follows from it. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Dimension;
use super::grid::Grid;
use super::recommend::recommend;
use super::record::CellRecord;
use super::result::{SweepCell, SweepResult};
use crate::data::Shard;

/// What a sweep has measured. That of a part is in its report, so that it can be merged.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Completed rounds.
    pub rounds: usize,
    /// All cells, in the order of the grid.
    pub cells: Vec<CellRecord>,
}

impl Measured {
    /// Adds what another part has measured. Associative and commutative.
    ///
    /// # Errors
    /// It is not a part of the same sweep, or both have measured the same round.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), String> {
        if self.cells.len() != other.cells.len() {
            let (ours, theirs) = (self.cells.len(), other.cells.len());
            return Err(format!("it has {theirs} cells, and another part {ours}"));
        }
        let mut cells = self.cells.iter_mut().zip(&other.cells);
        cells.try_for_each(|(ours, theirs)| ours.add(theirs))?;
        self.rounds += other.rounds;
        Ok(())
    }

    /// Whether this is what a part of a sweep over these axes may have measured.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn belongs_to(&self, axes: &[Dimension], shard: Shard) -> Result<(), String> {
        let (have, planned) = (self.cells.len(), Grid::new(axes).cells());
        if have != planned {
            return Err(format!("it has {have} cells, and its plan {planned}"));
        }
        let mut rounds = self.cells.iter().flat_map(CellRecord::visited_rounds);
        match rounds.find(|round| !shard.takes(*round)) {
            Some(round) => Err(format!(
                "it has measured round {}, which is not one of part {} of {}",
                round + 1,
                shard.index,
                shard.count
            )),
            None => Ok(()),
        }
    }

    /// Finds cells with the same settings in force: a later one refers to the earliest.
    pub(crate) fn find_equal(&mut self, axes: &[Dimension]) {
        let grid = Grid::new(axes);
        let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for (cell, record) in self.cells.iter_mut().enumerate() {
            let place = grid.place(cell);
            let Some(in_force) = record.in_force(axes, &place) else {
                continue;
            };
            let in_force = in_force.settings();
            match seen.get(&in_force) {
                Some(earlier) => record.same_as = Some(*earlier),
                None => {
                    seen.insert(in_force, cell);
                }
            }
        }
    }

    /// The result of a sweep over these axes.
    pub(crate) fn result(&self, axes: &[Dimension]) -> SweepResult {
        let grid = Grid::new(axes);
        let places: Vec<Vec<usize>> = (0..self.cells.len()).map(|cell| grid.place(cell)).collect();
        let records = || self.cells.iter().zip(&places);
        let entries: Vec<_> = records()
            .map(|(record, place)| record.entry(axes, place))
            .collect();
        let mut cells: Vec<_> = records()
            .map(|(record, place)| record.cell(axes, place))
            .collect();
        for cell in 0..cells.len() {
            if let Some(same) = cells[cell].same_as.map(|earlier| cells[earlier].clone()) {
                let axes = std::mem::take(&mut cells[cell].axes);
                let same_as = cells[cell].same_as;
                cells[cell] = SweepCell {
                    axes,
                    same_as,
                    ..same
                };
            }
        }
        SweepResult {
            axes: axes.iter().map(Dimension::axis).collect(),
            rounds: self.rounds,
            cells,
            recommendation: recommend(axes, &entries),
        }
    }
}
