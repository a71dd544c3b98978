//! Statistics. Pure: numbers in, numbers out; no clock, and randomness only from a given seed.

mod binomial;
mod bootstrap;
mod kolmogorov;
mod quantile;
mod rank;
mod segments;
mod shuffle;

pub use binomial::{clopper_pearson, clopper_pearson_one_sided};
pub use bootstrap::{ValueCounts, quantile_interval};
pub use kolmogorov::kolmogorov_smirnov;
pub use quantile::{median, quantile};
pub use rank::{Interval, hodges_lehmann, normal_cdf, one_sided, rank_sum_p};
pub use segments::{Ramp, change_points, cut_range, noise, ramp, without_outliers};
pub use shuffle::shuffle;
