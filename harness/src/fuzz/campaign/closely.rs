//! Which of many cases has reached something new, where a look is so expensive that one tells of many.
//!
//! They run again in groups of about the square root of their number, with one look for each group, and then the cases of a
//! group that has reached something one by one; until all that was new has been reached again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::fuzz::Case;
use crate::fuzz::coverage::Coverage;

/// A case that runs again, and whether it is the first and the last one before the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// The search gets one in so many parts of the time of all other cases.
const SHARE: u32 = 2;

/// How a lane divides its time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    /// Time for cases that run again, to search for what has reached something new or to confirm it.
    pub(super) search: Duration,
    /// Time for all other cases.
    pub(super) others: Duration,
}

impl Effort {
    /// Whether there is time for another search.
    pub(super) fn may_search(&self) -> bool {
        self.search <= self.others / SHARE
    }
}

/// Cases that run again.
#[derive(Debug, Default)]
pub(super) struct Closely {
    groups: VecDeque<VecDeque<Case>>,
    /// Whether a case of the first group has run already.
    has_begun: bool,
    /// What was new and has not been reached again.
    places: Vec<u32>,
}

impl Closely {
    /// One of these cases has reached these places.
    pub(super) fn search(&mut self, cases: Vec<Case>, places: &[u32]) {
        self.places.extend(places);
        let size = cases.len().isqrt().max(1);
        let groups = cases.chunks(size).map(|group| group.to_vec().into());
        self.groups.extend(groups);
    }

    /// A group has reached something: its cases run one by one, before all others.
    pub(super) fn split(&mut self, group: Vec<Case>) {
        self.has_begun = false;
        for case in group.into_iter().rev() {
            self.groups.push_front([case].into());
        }
    }

    /// The next case, while there is something left to search for.
    pub(super) fn next(&mut self, coverage: Option<&Coverage>) -> Option<(Case, Turn)> {
        if self.groups.is_empty() {
            return None;
        }
        // Another lane may have found it meanwhile.
        if let Some(coverage) = coverage
            && !self.has_begun
        {
            self.places = coverage.fresh(&self.places);
        }
        if self.places.is_empty() {
            self.groups.clear();
            self.has_begun = false;
            return None;
        }
        let group = self.groups.front_mut()?;
        let case = group.pop_front()?;
        let turn = Turn {
            is_first: !self.has_begun,
            is_last: group.is_empty(),
        };
        self.has_begun = !turn.is_last;
        if turn.is_last {
            self.groups.pop_front();
        }
        Some((case, turn))
    }

    /// These places were reached by a case alone.
    pub(super) fn found(&mut self, places: &[u32]) {
        self.places.retain(|place| !places.contains(place));
    }

    /// What was not reached again, once all cases have run.
    pub(super) fn lost(&mut self) -> Vec<u32> {
        match self.groups.is_empty() {
            true => std::mem::take(&mut self.places),
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(numbers: std::ops::Range<u8>) -> Vec<Case> {
        numbers.map(|number| Case::sending(vec![number])).collect()
    }

    /// Runs cases of which these reach something; returns how many ran and how many looks there were.
    fn searched(closely: &mut Closely, reaching: &[(u8, u32)]) -> (usize, usize) {
        let (mut runs, mut looks) = (0, 0);
        let mut group: Vec<Case> = Vec::new();
        while let Some((case, turn)) = closely.next(None) {
            assert_eq!(turn.is_first, group.is_empty());
            runs += 1;
            group.push(case);
            if !turn.is_last {
                continue;
            }
            looks += 1;
            let of = |number: u8| Case::sending(vec![number]);
            let reached = reaching
                .iter()
                .filter(|(case, _)| group.contains(&of(*case)));
            let reached: Vec<u32> = reached.map(|(_, place)| *place).collect();
            let group = std::mem::take(&mut group);
            match (reached.is_empty(), group.len()) {
                (true, _) => {}
                (false, 1) => closely.found(&reached),
                (false, _) => closely.split(group),
            }
        }
        (runs, looks)
    }

    #[test]
    fn a_search_waits_until_others_had_twice_its_time() {
        let effort = |search, others| Effort {
            search: Duration::from_millis(search),
            others: Duration::from_millis(others),
        };
        assert!(Effort::default().may_search());
        assert!(!effort(10, 19).may_search());
        assert!(effort(10, 20).may_search());
    }

    #[test]
    fn one_of_many_takes_few_looks() {
        let mut closely = Closely::default();
        closely.search(cases(0..64), &[7]);
        // Four groups, of which the last one has it as its second case.
        assert_eq!(searched(&mut closely, &[(25, 7)]), (4 * 8 + 2, 4 + 2));
        assert!(closely.lost().is_empty());
    }

    #[test]
    fn the_search_ends_with_the_last_place() {
        let mut closely = Closely::default();
        closely.search(cases(0..16), &[7, 8]);
        assert_eq!(
            searched(&mut closely, &[(0, 7), (5, 8)]),
            (4 + 4 + 4 + 2, 2 + 4 + 2)
        );
    }

    #[test]
    fn what_is_not_reached_again_is_lost() {
        let mut closely = Closely::default();
        closely.search(cases(0..9), &[7, 8]);
        assert_eq!(searched(&mut closely, &[(8, 8)]), (9 + 3, 3 + 3));
        assert_eq!(closely.lost(), [7]);
        assert!(closely.next(None).is_none());
    }
}
