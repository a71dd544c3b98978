//! All combinations of the values of all axes, and the order in which they are visited. Pure.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::axis::Dimension;
use crate::stats::shuffle;

/// The cells of a sweep: the last axis varies fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    sizes: Vec<usize>,
    /// Axes whose values need a server that was started with them.
    of_server: Vec<bool>,
}

/// One life of a server in a round, and what is measured in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The cells, in the order in which they are visited. At least one; all have the same settings of
    /// the server.
    pub cells: Vec<usize>,
}

impl Grid {
    /// Of these axes; of none: one cell.
    pub fn new(dimensions: &[Dimension]) -> Self {
        Self {
            sizes: dimensions.iter().map(|axis| axis.values.len()).collect(),
            of_server: dimensions
                .iter()
                .map(|axis| axis.knob.server_param().is_some())
                .collect(),
        }
    }

    /// How many cells there are. Saturates.
    pub fn cells(&self) -> usize {
        self.sizes
            .iter()
            .fold(1, |cells: usize, size| cells.saturating_mul(*size))
    }

    /// The place of the cell on each axis.
    pub fn place(&self, cell: usize) -> Vec<usize> {
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

    /// The cell at this place on each axis.
    pub fn cell(&self, place: &[usize]) -> usize {
        self.sizes
            .iter()
            .zip(place)
            .fold(0, |cell, (size, here)| cell * size + here)
    }

    /// How many different servers it takes.
    pub fn servers(&self) -> usize {
        let sizes = self.sizes.iter().zip(&self.of_server);
        sizes
            .filter(|(_, of_server)| **of_server)
            .fold(1, |servers: usize, (size, _)| servers.saturating_mul(*size))
    }

    /// The place of the cell on the axes of the server: equal ones can share a server.
    pub fn server(&self, cell: usize) -> Vec<usize> {
        let place = self.place(cell).into_iter().zip(&self.of_server);
        place
            .filter(|(_, of_server)| **of_server)
            .map(|(here, _)| here)
            .collect()
    }

    /// The order of one round: the servers in random order, and inside each its cells in random order,
    /// so that what drifts with time falls on all alike and one server serves several cells.
    pub fn round(&self, round: usize, seed: u64, wanted: impl Fn(usize) -> bool) -> Vec<Life> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ ((round as u64) << 32));
        let mut lives: BTreeMap<Vec<usize>, Life> = BTreeMap::new();
        for cell in (0..self.cells()).filter(|cell| wanted(*cell)) {
            let life = lives.entry(self.server(cell));
            let life = life.or_insert_with(|| Life { cells: Vec::new() });
            life.cells.push(cell);
        }
        let mut lives: Vec<Life> = lives.into_values().collect();
        shuffle(&mut lives, &mut random);
        for life in &mut lives {
            shuffle(&mut life.cells, &mut random);
        }
        lives
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
        let lives = grid.round(0, 7, |_| true);
        assert_eq!(lives.len(), 6);
        for life in &lives {
            assert_eq!(life.cells.len(), 2);
            assert_eq!(grid.server(life.cells[0]), grid.server(life.cells[1]));
        }
        let all: BTreeSet<usize> = lives.iter().flat_map(|life| life.cells.clone()).collect();
        assert_eq!(all.len(), 12);
        assert_eq!(lives, grid.round(0, 7, |_| true), "a seed repeats it");
        assert_ne!(lives, grid.round(1, 7, |_| true), "rounds differ");
        assert_ne!(lives, grid.round(0, 8, |_| true), "seeds differ");
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
        let lives = grid.round(0, 7, |cell| grid.server(cell) == [1, 1]);
        assert_eq!(lives.len(), 1);
        assert_eq!(lives[0].cells.len(), 2);
    }
}
