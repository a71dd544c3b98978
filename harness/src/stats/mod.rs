//! Statistics, pure: numbers in, numbers out. No clock, no randomness but from a given seed.

mod binomial;
mod bootstrap;
mod quantile;
mod rank;
mod shuffle;

pub use binomial::{clopper_pearson, clopper_pearson_one_sided};
pub use bootstrap::{Counts, quantile_interval};
pub use quantile::{median, quantile};
pub use rank::{Interval, hodges_lehmann, normal_cdf, one_sided, rank_sum_p};
pub use shuffle::shuffle;
