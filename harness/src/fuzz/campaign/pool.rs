//! The corpus as a lane sees it: which case to extend next.

use std::time::Duration;

use crate::fuzz::Case;
use crate::fuzz::random::Random;

/// Cases that were found last: what they have reached is explored least.
const NEWEST: usize = 8;

/// A case of the corpus, and what makes it worth extending.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) case: Case,
    /// The number of places that it was the first to reach.
    pub(super) places: usize,
}

/// The cases of the corpus.
#[derive(Debug, Default)]
pub(super) struct Pool {
    cases: Vec<Case>,
    standing: Vec<Standing>,
    /// The positions of those that were the first to reach a place.
    reaching: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// How often it was extended, and the time that this took.
    picks: u32,
    spent: Duration,
    /// A wait for the reply to its last message lasts until the time limit.
    is_unanswered: bool,
}

impl Pool {
    pub(super) fn len(&self) -> usize {
        self.cases.len()
    }

    pub(super) fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub(super) fn add(&mut self, member: Member) {
        if member.places > 0 {
            self.reaching.push(self.cases.len());
        }
        self.cases.push(member.case);
        self.standing.push(Standing::default());
    }

    /// The position of a case to extend: half of the time one of the newest, otherwise one on which little time was spent.
    /// `None` if none has reached a place, and one in eight times: then any case will do.
    pub(super) fn pick(&mut self, random: &mut Random) -> Option<usize> {
        if self.reaching.is_empty() || random.one_in(8) {
            return None;
        }
        let newest = self.reaching.len().saturating_sub(NEWEST);
        let place = match random.one_in(2) {
            // Of two, the one that costs much less, or the shorter one, which hides less.
            true => {
                let two = [(); 2].map(|()| random.pick(&self.reaching[newest..]).copied());
                let cost = |place: &usize| {
                    (
                        self.standing[*place].magnitude(),
                        self.cases[*place].bytes(),
                    )
                };
                two.into_iter().flatten().min_by_key(cost)
            }
            false => {
                let tried = [(); 4].map(|()| random.pick(&self.reaching).copied());
                let spent = |place: &usize| self.standing[*place].spent;
                tried.into_iter().flatten().min_by_key(spent)
            }
        }?;
        self.standing[place].picks += 1;
        Some(place)
    }

    pub(super) fn case(&self, place: usize) -> Option<&Case> {
        self.cases.get(place)
    }

    /// A case that extends this one took so long.
    pub(super) fn took(&mut self, place: usize, time: Duration) {
        if let Some(standing) = self.standing.get_mut(place) {
            standing.spent += time;
        }
    }

    /// Whether it is worth waiting for the reply to the last message of this case.
    pub(super) fn is_answered(&self, place: usize) -> bool {
        !self.standing[place].is_unanswered
    }

    /// A wait for the reply to the last message of this case took too long.
    pub(super) fn is_slow(&mut self, place: usize) {
        if let Some(standing) = self.standing.get_mut(place) {
            standing.is_unanswered = true;
        }
    }
}

impl Standing {
    /// The binary order of magnitude of what a case costs that extends this one, in microseconds; 0 if none did.
    fn magnitude(self) -> u32 {
        let mean = self.spent.checked_div(self.picks).unwrap_or_default();
        mean.as_micros().checked_ilog2().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_neglected_cases_are_preferred() {
        let mut pool = Pool::default();
        let mut random = Random::new(1, 0);
        let member = |places| Member {
            case: Case::sending(&b"x"[..]),
            places,
        };
        (0..50).for_each(|_| pool.add(member(0)));
        assert!((0..100).all(|_| pool.pick(&mut random).is_none()));
        (0..100).for_each(|_| pool.add(member(1)));
        let newest = pool.len() - NEWEST;
        let mut picks = vec![0_u32; pool.len()];
        let mut others = 0;
        for _ in 0..80_000 {
            match pool.pick(&mut random) {
                Some(place) => {
                    pool.took(place, Duration::from_millis(1));
                    picks[place] += 1;
                }
                None => others += 1,
            }
        }
        assert!((8_000..12_000).contains(&others), "{others}");
        assert!(picks[..50].iter().all(|count| *count == 0));
        let (old, new) = (&picks[50..newest], &picks[newest..]);
        assert!(
            old.iter().all(|count| (200..800).contains(count)),
            "{old:?}"
        );
        assert!(new.iter().sum::<u32>() > 30_000, "{new:?}");
    }
    #[test]
    fn time_is_shared_and_not_the_number_of_cases() {
        let mut pool = Pool::default();
        let mut random = Random::new(1, 0);
        let costs = [1, 100].map(Duration::from_millis);
        for _ in 0..2 {
            pool.add(Member {
                case: Case::sending(&b"x"[..]),
                places: 1,
            });
        }
        let mut picks = [0_u32; 2];
        for _ in 0..20_000 {
            if let Some(place) = pool.pick(&mut random) {
                pool.took(place, costs[place]);
                picks[place] += 1;
            }
        }
        assert!(picks[1] > 50 && picks[0] > 3 * picks[1], "{picks:?}");
    }
}
