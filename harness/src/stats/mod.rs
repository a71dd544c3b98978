//! Statistics, pure: numbers in, numbers out. No clock, no randomness but from a given seed.

mod bootstrap;
mod quantile;
mod rank;

pub use bootstrap::{Counts, quantile_interval};
pub use quantile::{median, quantile};
pub use rank::{Interval, hodges_lehmann, rank_sum_p};
