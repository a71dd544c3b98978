//! The clocks of the machines on which the parts of a load ran, and whether they agree. Pure.
//!
//! Parts compare their clocks with that of a folder that they share, each by itself. The differences between the parts
//! follow from that, whichever part comes first and whichever is missing.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::parts_reason::{APART_MAX, PartsReason};

/// What is known about the clock of the machine of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClockRecord {
    /// The kernel's boot id. Processes with the same one use the same clock. Empty if unknown.
    pub machine: String,
    /// The clock compared with that of the shared folder, or with that of one of the parts, if there is one.
    pub folder: Option<FolderClock>,
}

/// The clock of a machine compared with that of a folder.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct FolderClock {
    /// The id of the folder, from a file in it, or of the part that answered: parts with different ids did not compare with the
    /// same clock.
    pub folder: String,
    /// The machine's clock minus the folder's, in nanoseconds.
    pub ahead_ns: i64,
    /// Maximum error of `ahead_ns`.
    pub within_ns: u64,
}

impl FolderClock {
    /// Bounds of the machine's clock minus the folder's, in nanoseconds.
    fn least(&self) -> i64 {
        self.ahead_ns - self.within_ns.cast_signed()
    }

    fn most(&self) -> i64 {
        self.ahead_ns + self.within_ns.cast_signed()
    }
}

impl ClockRecord {
    /// Whether the other part runs on the same machine.
    fn is_beside(&self, other: &Self) -> bool {
        !self.machine.is_empty() && self.machine == other.machine
    }
}

/// Whether the clocks of all parts, by number, agree: the maximum difference between any two.
///
/// # Errors
/// They differ, or were not compared.
pub(super) fn agree(clocks: &[(usize, ClockRecord)]) -> Result<Duration, PartsReason> {
    let Some(((first, one), others)) = clocks.split_first() else {
        return Ok(Duration::ZERO);
    };
    let folder = |clock: &ClockRecord| clock.folder.as_ref().map(|folder| folder.folder.clone());
    let is_comparable =
        |(_, other): &&(usize, ClockRecord)| folder(one).is_some() && folder(one) == folder(other);
    if let Some((stranger, other)) = others.iter().find(|other| !is_comparable(other)) {
        if others.iter().all(|(_, other)| one.is_beside(other)) {
            return Ok(Duration::ZERO);
        }
        return Err(PartsReason::ClocksNotCompared {
            one: *first,
            other: *stranger,
            by_other_folders: one.folder.is_some() && other.folder.is_some(),
        });
    }
    let known: Vec<(usize, &FolderClock)> = clocks
        .iter()
        .filter_map(|(part, clock)| Some((*part, clock.folder.as_ref()?)))
        .collect();
    // Each pair is looked at in both orders, so that one of them is not negative.
    let pairs = known.iter().flat_map(|ahead| {
        let others = known.iter().filter(|behind| behind.0 != ahead.0);
        others.map(move |behind| (ahead.1.most() - behind.1.least(), ahead, behind))
    });
    let Some((most, ahead, behind)) = pairs.max_by_key(|(most, ..)| *most) else {
        return Ok(Duration::ZERO);
    };
    let most = Duration::from_nanos(most.unsigned_abs());
    if most <= APART_MAX {
        return Ok(most);
    }
    Err(PartsReason::ClocksDiffer {
        ahead: ahead.0,
        behind: behind.0,
        apart_ms: (ahead.1.ahead_ns - behind.1.ahead_ns) as f64 / 1e6,
        within_ms: (ahead.1.within_ns + behind.1.within_ns) as f64 / 1e6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn clock(machine: &str, folder: &str, ahead_ns: i64, within_ns: u64) -> ClockRecord {
        ClockRecord {
            machine: machine.into(),
            folder: (!folder.is_empty()).then(|| FolderClock {
                folder: folder.into(),
                ahead_ns,
                within_ns,
            }),
        }
    }

    fn judged(clocks: Vec<ClockRecord>) -> Result<Duration, PartsReason> {
        let numbered: Vec<_> = (1..).zip(clocks).collect();
        agree(&numbered)
    }

    #[test]
    fn clocks_that_agree_within_what_is_known() {
        let like = judged(vec![
            clock("a", "f", 3 * MS, 500_000),
            clock("b", "f", MS, 400_000),
        ]);
        assert_eq!(like, Ok(Duration::from_micros(2900)));
        assert_eq!(
            judged(vec![clock("a", "f", 90 * MS, 1)]),
            Ok(Duration::ZERO)
        );
        // The bounds of one part lie within those of the other.
        let around = judged(vec![
            clock("a", "f", 0, 900_000),
            clock("b", "f", 0, 100_000),
        ]);
        assert_eq!(around, Ok(Duration::from_millis(1)));
        assert_eq!(judged(Vec::new()), Ok(Duration::ZERO));
    }

    #[test]
    fn clocks_that_differ_or_may_differ() {
        let differ = judged(vec![
            clock("a", "f", 0, 100_000),
            clock("b", "f", 50 * MS, 100_000),
            clock("c", "f", -MS, 100_000),
        ]);
        let expected = PartsReason::ClocksDiffer {
            ahead: 2,
            behind: 3,
            apart_ms: 51.0,
            within_ms: 0.2,
        };
        assert_eq!(differ, Err(expected));
        // Known to 4 ms only, each.
        let unsure = judged(vec![
            clock("a", "f", 0, 4_000_000),
            clock("b", "f", 0, 4_000_000),
        ]);
        assert!(matches!(unsure, Err(PartsReason::ClocksDiffer { .. })));
        // A clock that is off on the same machine is told too.
        let same = judged(vec![clock("a", "f", 0, 0), clock("a", "f", 9 * MS, 0)]);
        assert!(matches!(same, Err(PartsReason::ClocksDiffer { .. })));
    }

    #[test]
    fn clocks_that_nothing_compares() {
        let refused = |clocks, by_other_folders| {
            let expected = PartsReason::ClocksNotCompared {
                one: 1,
                other: 2,
                by_other_folders,
            };
            assert_eq!(judged(clocks), Err(expected));
        };
        refused(vec![clock("a", "", 0, 0), clock("b", "", 0, 0)], false);
        refused(vec![clock("a", "f", 0, 0), clock("b", "", 0, 0)], false);
        refused(vec![clock("a", "f", 0, 0), clock("b", "g", 0, 0)], true);
        refused(vec![clock("", "", 0, 0), clock("", "", 0, 0)], false);
        assert_eq!(
            judged(vec![clock("a", "", 0, 0), clock("a", "", 0, 0)]),
            Ok(Duration::ZERO)
        );
    }
}
