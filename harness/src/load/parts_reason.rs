//! Why parts of a load were not one load. Pure.

use std::fmt;
use std::time::Duration;

use super::part::OBSERVER;

/// Why the parts of a load were not one load.
#[derive(Debug, Clone, PartialEq)]
pub enum PartsReason {
    /// A part started after the agreed time.
    StartedLate {
        /// By how much, in seconds.
        late_s: f64,
    },
    /// A part was ended by its user or its scheduler.
    Interrupted {
        /// Seconds of the measured period that it completed.
        after_s: f64,
    },
    /// Parts left no report.
    Missing {
        /// Their numbers, starting at 1.
        parts: Vec<usize>,
        /// Number of parts.
        count: usize,
    },
    /// The clocks of two parts differ, so that they did not start at the same time.
    ClocksDiffer {
        /// The part whose clock is ahead, so that it started first.
        ahead: usize,
        /// The part whose clock is behind.
        behind: usize,
        /// By how much, in milliseconds.
        apart_ms: f64,
        /// How exactly this is known, in milliseconds.
        within_ms: f64,
    },
    /// Nothing says whether the clocks of two parts agree.
    ClocksNotCompared {
        /// The one part.
        one: usize,
        /// The other part.
        other: usize,
        /// Whether both compared their clock with a folder, but not with the same one.
        by_other_folders: bool,
    },
}

/// Maximum difference between the clocks of two parts: a tenth of the shortest window. Arrivals of a Poisson process are as
/// random with any difference; what suffers is which window a request counts in, and the first and last moments of the
/// period, in which not all parts send.
pub(super) const APART_MAX: Duration = Duration::from_millis(5);
/// Parts that are named, of those that are missing.
const NAMED: usize = 20;

impl PartsReason {
    /// The stable id.
    pub fn word(&self) -> &'static str {
        match self {
            Self::StartedLate { .. } => "started-late",
            Self::Interrupted { .. } => "interrupted",
            Self::Missing { .. } => "parts-missing",
            Self::ClocksDiffer { .. } => "clocks-differ",
            Self::ClocksNotCompared { .. } => "clocks-not-compared",
        }
    }
}

impl fmt::Display for PartsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartedLate { late_s } => write!(
                f,
                "{:.1} ms after the agreed time: set a later --start-at",
                late_s * 1e3
            ),
            Self::Interrupted { after_s } => {
                write!(
                    f,
                    "ended by a signal after {after_s:.1} s of the measured period"
                )
            }
            Self::Missing { parts, count } => {
                let named: Vec<String> = parts.iter().take(NAMED).map(usize::to_string).collect();
                let more = match parts.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "part {}{more} of {count} left no report: it was killed, or its report was not given",
                    named.join(", ")
                )
            }
            Self::ClocksDiffer {
                ahead,
                behind,
                apart_ms,
                within_ms,
            } => write!(
                f,
                "the clock of {} is {apart_ms:.1} ms (± {within_ms:.1} ms) ahead of that of {}, and they may differ by {:.0} ms: synchronize the clocks",
                part_name(*ahead),
                part_name(*behind),
                APART_MAX.as_secs_f64() * 1e3
            ),
            Self::ClocksNotCompared {
                one,
                other,
                by_other_folders,
            } => {
                let why = if *by_other_folders {
                    "compared their clocks with different folders or parts"
                } else {
                    "ran on different machines, and their clocks were not compared"
                };
                write!(
                    f,
                    "{} and {} {why}: give all parts the same shared folder (--shared DIR), or the same --clock-peer HOST:PORT",
                    part_name(*one),
                    part_name(*other)
                )
            }
        }
    }
}

/// What a part is called.
pub(crate) fn part_name(part: usize) -> String {
    match part {
        OBSERVER => "the observer".into(),
        part => format!("part {part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_figures_and_what_to_do() {
        let late = PartsReason::StartedLate { late_s: 0.25 };
        assert_eq!(
            late.to_string(),
            "250.0 ms after the agreed time: set a later --start-at"
        );
        let differ = PartsReason::ClocksDiffer {
            ahead: 2,
            behind: 1,
            apart_ms: 50.04,
            within_ms: 0.1,
        };
        assert!(
            differ
                .to_string()
                .starts_with("the clock of part 2 is 50.0 ms (± 0.1 ms) ahead of that of part 1")
        );
        let missing = |parts: Vec<usize>| PartsReason::Missing { parts, count: 64 }.to_string();
        assert!(missing(vec![2, 5]).starts_with("part 2, 5 of 64 left no report"));
        assert!(missing((1..=64).collect()).contains("20 and 44 more of 64"));
        let compared = |by_other_folders| {
            let (one, other) = (1, 2);
            PartsReason::ClocksNotCompared {
                one,
                other,
                by_other_folders,
            }
            .to_string()
        };
        assert!(
            compared(true).contains("different folders") && compared(false).contains("--shared")
        );
        assert!(compared(true).starts_with("part 1 and part 2 "));
        let observed = PartsReason::ClocksDiffer {
            ahead: 0,
            behind: 1,
            apart_ms: 9.0,
            within_ms: 0.1,
        };
        let told = observed.to_string();
        assert!(
            told.starts_with("the clock of the observer is 9.0 ms"),
            "{told}"
        );
    }
}
