//! Simulated sweeps for tests.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::*;
use crate::bench::axis::parse_all;

/// A simulated sweep with noise.
pub(super) struct Made {
    pub axes: Vec<Dimension>,
    pub rounds: usize,
    /// Relative standard deviation of one visit.
    noise: f64,
    seed: u64,
}

impl Made {
    pub(crate) fn new(axes: &[&str]) -> Self {
        Self {
            axes: parse_all(axes).unwrap(),
            rounds: 6,
            noise: 0.0,
            seed: 1,
        }
    }

    pub(crate) fn noisy(self, noise: f64, seed: u64) -> Self {
        Self {
            noise,
            seed,
            ..self
        }
    }

    /// Entries with these rates in replies per second, by the settings. The machine is up to a third slower in some
    /// rounds.
    pub(crate) fn entries(&self, rate: impl Fn(&[&str]) -> f64) -> Vec<Entry> {
        let grid = Grid::new(&self.axes);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let speeds: Vec<f64> = (0..self.rounds)
            .map(|_| 1.0 - uniform(&mut random) / 3.0)
            .collect();
        (0..grid.cells())
            .map(|cell| {
                let place = grid.place(cell);
                let settings = self.axes.iter().zip(&place);
                let settings: Vec<&str> = settings
                    .map(|(axis, place)| axis.values[*place].text.as_str())
                    .collect();
                let rounds = speeds.iter().map(|speed| {
                    let wavers = (normal(&mut random) * self.noise).exp();
                    Some(Figures {
                        ops_per_s: rate(&settings) * speed * wavers,
                        server_cpu_us_per_op: Some(1e6 / rate(&settings) / speed * wavers),
                        ..Figures::default()
                    })
                });
                Entry {
                    rounds: rounds.collect(),
                    valid: true,
                    ..Entry::default()
                }
            })
            .collect()
    }

    pub(crate) fn recommend(&self, rate: impl Fn(&[&str]) -> f64) -> Recommendation {
        recommend(&self.axes, &self.entries(rate))
    }
}

fn uniform(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Approximately normal: the sum of twelve uniform numbers.
fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
}
