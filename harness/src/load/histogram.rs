//! Histograms of times. All have the same bounds, so that they can be added.

use hdrhistogram::Histogram;

/// Longest time a histogram can represent, in nanoseconds: one hour. Longer times are recorded as this one.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits of a recorded time: its error is at most 0.1 %.
const DIGITS: u8 = 3;

/// A histogram of nanoseconds.
pub type Times = Histogram<u64>;

/// An empty histogram.
pub fn times() -> Times {
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
        .unwrap_or_else(|_| unreachable!("the bounds are constants that the crate accepts"))
}
