//! What each case of a corpus was the first to reach, and how few of them reach the same. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a case of the corpus was the first to reach in its campaign, apart from what any well-behaved client reaches. It may
/// reach more, which other cases reached before.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct KeptCase {
    /// Bytes that it sends.
    pub bytes: usize,
    /// Places of the server's code, by what they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, BTreeSet<u32>>,
    /// Observations in the replies, each as a hash.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replies: BTreeSet<u64>,
}

/// One thing that cases reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached<'a> {
    Place(&'a str, u32),
    Reply(u64),
}

impl KeptCase {
    /// Adds what the same case was the first to reach in another campaign.
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes = self.bytes.max(other.bytes);
        for (unit, places) in other.places {
            self.places.entry(unit).or_default().extend(places);
        }
        self.replies.extend(other.replies);
    }

    /// All of it.
    pub(crate) fn reached(&self) -> impl Iterator<Item = Reached<'_>> {
        let places = self.places.iter().flat_map(|(unit, places)| {
            places.iter().map(move |place| Reached::Place(unit, *place))
        });
        places.chain(self.replies.iter().copied().map(Reached::Reply))
    }
}

/// Cases that together reach what all reach, and of which none can be left out: always the one that adds most (the greedy set
/// cover of Chvatal 1979, at most ln n times as many as necessary), short ones first.
pub(crate) fn fewest(kept: &BTreeMap<String, KeptCase>) -> BTreeSet<&str> {
    let mut reached: BTreeSet<Reached<'_>> = BTreeSet::new();
    let mut chosen: Vec<(&str, &KeptCase)> = Vec::new();
    // What a case adds only becomes less, so the old number is a bound.
    let queued = kept
        .iter()
        .map(|(name, case)| (case.reached().count(), Reverse((case.bytes, name.as_str()))));
    let mut queue: BinaryHeap<_> = queued.collect();
    while let Some((bound, order)) = queue.pop() {
        let Reverse((_, name)) = order;
        let case = &kept[name];
        let adds = case.reached().filter(|one| !reached.contains(one)).count();
        if adds == 0 {
            continue;
        }
        if adds < bound {
            queue.push((adds, order));
            continue;
        }
        reached.extend(case.reached());
        chosen.push((name, case));
    }
    let mut times: BTreeMap<Reached<'_>, usize> = BTreeMap::new();
    for one in chosen.iter().flat_map(|(_, case)| case.reached()) {
        *times.entry(one).or_default() += 1;
    }
    // An early one may have become superfluous.
    chosen.retain(|(_, case)| {
        let is_needed = case.reached().any(|one| times[&one] == 1);
        if !is_needed {
            case.reached().for_each(|one| {
                times.entry(one).and_modify(|times| *times -= 1);
            });
        }
        is_needed
    });
    chosen.into_iter().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn case(bytes: usize, places: &[u32], replies: &[u64]) -> KeptCase {
        let places: BTreeSet<u32> = places.iter().copied().collect();
        KeptCase {
            bytes,
            places: [("basic blocks".to_owned(), places)].into(),
            replies: replies.iter().copied().collect(),
        }
    }

    fn named(cases: Vec<KeptCase>) -> BTreeMap<String, KeptCase> {
        let named = cases.into_iter().enumerate();
        named.map(|(name, case)| (name.to_string(), case)).collect()
    }

    fn all<'a>(cases: impl Iterator<Item = &'a KeptCase>) -> BTreeSet<Reached<'a>> {
        cases.flat_map(KeptCase::reached).collect()
    }

    #[test]
    fn what_others_reach_is_left_out() {
        let kept = named(vec![
            case(1, &[1, 2], &[]),
            case(9, &[3, 4], &[7]),
            case(5, &[1, 2, 3], &[]),
            case(2, &[], &[]),
            // As much as the one before the last, and shorter.
            case(4, &[1, 2, 3], &[]),
        ]);
        assert_eq!(fewest(&kept), ["1", "4"].into());
        // The greedy choice of four makes itself superfluous.
        let kept = named(vec![
            case(1, &[2, 3, 4, 5], &[]),
            case(1, &[1, 2, 3], &[]),
            case(1, &[4, 5, 6], &[]),
        ]);
        assert_eq!(fewest(&kept), ["1", "2"].into());
        assert!(fewest(&BTreeMap::new()).is_empty());
    }

    proptest! {
        /// Everything is still reached, and without any of the cases something would not be. PROPTEST_CASES=10000 tries more.
        #[test]
        fn the_fewest_reach_the_same(
            cases in prop::collection::vec(
                (1_usize..9, prop::collection::vec(0_u32..30, 0..9), prop::collection::vec(0_u64..9, 0..4)),
                0..30,
            ),
        ) {
            let kept = named(cases.iter().map(|(bytes, places, replies)| case(*bytes, places, replies)).collect());
            let few = fewest(&kept);
            let of = |names: &BTreeSet<&str>| {
                all(names.iter().map(|name| &kept[*name])).len()
            };
            prop_assert_eq!(of(&few), all(kept.values()).len());
            for name in &few {
                let mut without = few.clone();
                without.remove(name);
                prop_assert!(of(&without) < of(&few));
            }
        }
    }
}
