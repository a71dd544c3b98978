//! All combinations of the values of all axes, and the order of visits. Pure.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::axis::Dimension;
use crate::stats::shuffle;

/// The cells of a sweep; the last axis varies fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    sizes: Vec<usize>,
    /// Axes whose values are parameters of the server, which must be started with them.
    of_server: Vec<bool>,
}

/// The cells that are visited on one started server in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerBatch {
    /// The cells in the order of visits. At least one; all have the same server settings.
    pub cells: Vec<usize>,
}

impl Grid {
    /// The grid of these axes; without axes it has one cell.
    pub(crate) fn new(dimensions: &[Dimension]) -> Self {
        Self {
            sizes: dimensions.iter().map(|axis| axis.values.len()).collect(),
            of_server: dimensions
                .iter()
                .map(|axis| axis.knob.server_param().is_some())
                .collect(),
        }
    }

    /// Number of cells; saturates.
    pub(crate) fn cells(&self) -> usize {
        self.sizes
            .iter()
            .fold(1, |cells: usize, size| cells.saturating_mul(*size))
    }

    /// The index of the cell on each axis.
    pub(crate) fn place(&self, cell: usize) -> Vec<usize> {
        let mut rest = cell;
        let mut place: Vec<usize> = self
            .sizes
            .iter()
            .rev()
            .map(|size| {
                let here = rest % size;
                rest /= size;
                here
            })
            .collect();
        place.reverse();
        place
    }

    /// The cell with these indices on the axes.
    pub(crate) fn cell(&self, place: &[usize]) -> usize {
        self.sizes
            .iter()
            .zip(place)
            .fold(0, |cell, (size, here)| cell * size + here)
    }

    /// Number of different server settings; saturates.
    pub(crate) fn servers(&self) -> usize {
        let sizes = self.sizes.iter().zip(&self.of_server);
        sizes
            .filter(|(_, of_server)| **of_server)
            .fold(1, |servers: usize, (size, _)| servers.saturating_mul(*size))
    }

    /// The indices of the cell on the server axes: cells with equal ones can share a server.
    pub(crate) fn server(&self, cell: usize) -> Vec<usize> {
        let place = self.place(cell).into_iter().zip(&self.of_server);
        place
            .filter(|(_, of_server)| **of_server)
            .map(|(here, _)| here)
            .collect()
    }

    /// The order of one round: server settings in random order, and within each its cells in random order. A drift over
    /// time affects all cells alike, and one server serves several cells.
    pub(crate) fn round(
        &self,
        round: usize,
        seed: u64,
        wanted: impl Fn(usize) -> bool,
    ) -> Vec<ServerBatch> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ ((round as u64) << 32));
        let mut batches: BTreeMap<Vec<usize>, ServerBatch> = BTreeMap::new();
        for cell in (0..self.cells()).filter(|cell| wanted(*cell)) {
            let batch = batches.entry(self.server(cell));
            let batch = batch.or_insert_with(|| ServerBatch { cells: Vec::new() });
            batch.cells.push(cell);
        }
        let mut batches: Vec<ServerBatch> = batches.into_values().collect();
        shuffle(&mut batches, &mut random);
        for batch in &mut batches {
            shuffle(&mut batch.cells, &mut random);
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn grid() -> Grid {
        let axes = [
            "server.recv_buffer=64,1KiB,4KiB",
            "payload=1,2",
            "server.workers=1,2",
        ];
        let axes: Vec<Dimension> = axes.iter().map(|axis| axis.parse().unwrap()).collect();
        Grid::new(&axes)
    }

    #[test]
    fn every_cell_has_a_place_of_its_own() {
        let grid = grid();
        assert_eq!((grid.cells(), grid.servers()), (12, 6));
        assert_eq!(
            (grid.place(0), grid.place(1)),
            (vec![0, 0, 0], vec![0, 0, 1])
        );
        assert!((0..12).all(|cell| grid.cell(&grid.place(cell)) == cell));
        assert_eq!(grid.server(grid.cell(&[2, 1, 0])), [2, 0]);
        let one = Grid::new(&[]);
        assert_eq!((one.cells(), one.servers(), one.place(0)), (1, 1, vec![]));
    }

    #[test]
    fn a_round_visits_all_once_one_server_after_the_other() {
        let grid = grid();
        let batches = grid.round(0, 7, |_| true);
        assert_eq!(batches.len(), 6);
        for batch in &batches {
            assert_eq!(batch.cells.len(), 2);
            assert_eq!(grid.server(batch.cells[0]), grid.server(batch.cells[1]));
        }
        let all: BTreeSet<usize> = batches
            .iter()
            .flat_map(|batch| batch.cells.clone())
            .collect();
        assert_eq!(all.len(), 12);
        assert_eq!(batches, grid.round(0, 7, |_| true), "a seed repeats it");
        assert_ne!(batches, grid.round(1, 7, |_| true), "rounds differ");
        assert_ne!(batches, grid.round(0, 8, |_| true), "seeds differ");
    }

    #[test]
    fn orders_are_spread_evenly() {
        let grid = grid();
        let mut first = [0_usize; 12];
        for round in 0..1200 {
            first[grid.round(round, 3, |_| true)[0].cells[0]] += 1;
        }
        // 100 each, with a standard deviation of 10.
        assert!(
            first.iter().all(|times| (60..140).contains(times)),
            "{first:?}"
        );
    }

    #[test]
    fn what_is_not_wanted_needs_no_server() {
        let grid = grid();
        let batches = grid.round(0, 7, |cell| grid.server(cell) == [1, 1]);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].cells.len(), 2);
    }
}
