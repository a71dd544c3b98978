//! How the time of a campaign is divided: new cases get at least two thirds of it, settling findings the rest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fuzz::TimeSpent;
use crate::fuzz::deadline::Deadline;
use crate::fuzz::symptom::FindingKind;
use crate::subject::Interrupt;

/// Settling gets one in this many parts of the time.
const SETTLING_SHARE: u32 = 3;
/// Maximum time of all lanes together that one finding gets at once.
const CLAIM_MAX: Duration = Duration::from_secs(40);
/// One finding gets at most one in this many parts of what is left, so that something is left for those that come later;
/// and at least this time, if there is as much.
const GRAVE_PARTS: u32 = 2;
const GRAVE_MIN: Duration = Duration::from_secs(12);
/// The same for a finding that a grave one may follow.
const MINOR_PARTS: u32 = 4;
const MINOR_MIN: Duration = Duration::from_secs(5);
/// Minimum share of settling of which half is reserved for grave findings. Less suffices for one finding only.
const RESERVING: Duration = Duration::from_secs(20);
/// Tests of hints, which start servers of their own, get one in this many parts of the time.
const TESTS_GRAVE_SHARE: u32 = 5;
const TESTS_MINOR_SHARE: u32 = 8;
/// Minimum time that is worth beginning with, and the same as a multiple of the server's start.
const CLAIM_MIN: Duration = Duration::from_millis(300);
const CLAIM_STARTS: u32 = 8;

/// Minimum time that exploring goes on with at the end.
const RESUMED_MIN: Duration = Duration::from_secs(1);

/// What a lane spends its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Starting,
    Cases,
    Looking,
    Settling,
}

/// How urgent a finding is: time is kept for the grave ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// The server is lost for its clients, or does what nobody asked it for.
    Grave,
    /// The server goes on, and says that it is wrong or says something else.
    Minor,
}

impl Weight {
    pub(super) fn of(kind: FindingKind) -> Self {
        match kind {
            FindingKind::Panic | FindingKind::Divergence | FindingKind::Difference => Self::Minor,
            FindingKind::Crash
            | FindingKind::Hang
            | FindingKind::Spin
            | FindingKind::Starvation
            | FindingKind::Leak
            | FindingKind::Complexity
            | FindingKind::Flood
            | FindingKind::Conformance => Self::Grave,
        }
    }
}

/// The clock that the lanes share.
#[derive(Debug)]
pub(super) struct CampaignClock {
    pub(super) begun: Instant,
    /// The time that was asked for; `None`: a number of cases instead.
    duration: Option<Duration>,
    lanes: u32,
    interrupt: Interrupt,
    claim_min: Duration,
    /// Time that settling findings took or may take, added up over the lanes, in nanoseconds.
    claimed_ns: AtomicU64,
    /// Time at the end for confirming the findings once more, not added up.
    kept_ns: AtomicU64,
    stopped: AtomicBool,
    spent_ns: [AtomicU64; 4],
    /// Time that tests of hints took, added up over the lanes, in nanoseconds.
    tests_ns: AtomicU64,
}

/// The right to spend time on a finding. What is left is given back.
pub(super) struct Claim<'a> {
    clock: &'a CampaignClock,
    granted: Duration,
    begun: Instant,
    /// When it ends.
    pub(super) deadline: Deadline,
}

impl CampaignClock {
    pub(super) fn new(
        begun: Instant,
        duration: Option<Duration>,
        lanes: usize,
        interrupt: Interrupt,
    ) -> Self {
        Self {
            begun,
            duration,
            lanes: u32::try_from(lanes.max(1)).unwrap_or(1),
            interrupt,
            claim_min: CLAIM_MIN,
            claimed_ns: AtomicU64::new(0),
            kept_ns: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            spent_ns: Default::default(),
            tests_ns: AtomicU64::new(0),
        }
    }

    /// Takes into account how long a start of the server takes.
    pub(super) fn starts_in(&mut self, start: Duration) {
        self.claim_min = CLAIM_MIN.max(start * CLAIM_STARTS);
    }

    /// The end of the whole campaign.
    pub(super) fn end(&self) -> Deadline {
        let end = self.duration.map(|duration| self.begun + duration);
        Deadline::at(end, self.interrupt.clone())
    }

    /// The end of exploring: what is kept for the last confirmations comes after it.
    pub(super) fn exploring(&self) -> Deadline {
        let kept = Duration::from_nanos(self.kept_ns.load(Ordering::Relaxed));
        let end = self
            .duration
            .map(|duration| self.begun + duration.saturating_sub(kept));
        Deadline::at(end, self.interrupt.clone())
    }

    /// Whether no lane begins anything new.
    pub(super) fn is_over(&self) -> bool {
        self.is_stopped() || self.exploring().is_over()
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.interrupt.is_set()
    }

    /// Time to settle a finding of this weight now. `None` if the share of settling is used up.
    pub(super) fn claim(&self, weight: Weight) -> Option<Claim<'_>> {
        let claim = |granted, deadline| Claim {
            clock: self,
            granted,
            begun: Instant::now(),
            deadline,
        };
        // Nothing else needs the time of a campaign that has stopped or has none.
        if self.duration.is_none() || self.is_stopped() {
            return Some(claim(Duration::ZERO, self.end()));
        }
        let granted = self.grant(weight);
        let end = self.exploring();
        if granted < self.claim_min || end.left(self.claim_min) < self.claim_min {
            return None;
        }
        self.add_claimed(granted);
        Some(claim(granted, end.or_after(granted)))
    }

    /// Keeps time at the end for one more confirmation, at most half of the share of settling.
    pub(super) fn keep(&self, wall: Duration) {
        let most = nanos(self.duration.unwrap_or_default() / SETTLING_SHARE / 2);
        let more = |kept: u64| Some(kept.saturating_add(nanos(wall)).min(most));
        // It never fails: `more` always returns something.
        let _ = self
            .kept_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether there is time to begin with another finding before the end.
    pub(super) fn is_worth_it(&self) -> bool {
        self.end().left(self.claim_min) >= self.claim_min
    }

    /// Gives the time that was kept and not needed back to exploring; returns whether it is worth it.
    pub(super) fn resume(&self) -> bool {
        self.kept_ns.store(0, Ordering::Relaxed);
        self.duration.is_some() && !self.is_stopped() && self.end().left(RESUMED_MIN) >= RESUMED_MIN
    }

    /// What one finding of this weight gets, added up over the lanes.
    fn grant(&self, weight: Weight) -> Duration {
        let (share, free) = (self.share(), self.free());
        let (free, parts, least) = match weight {
            Weight::Grave => (free, GRAVE_PARTS, GRAVE_MIN),
            Weight::Minor if share < RESERVING => (free, 1, Duration::ZERO),
            Weight::Minor => (free.saturating_sub(share / 2), MINOR_PARTS, MINOR_MIN),
        };
        let granted = (free / parts).max(least).max(self.claim_min);
        granted.min(free).min(CLAIM_MAX)
    }

    /// Whether there is time for a test of a hint of this weight. Without a duration there always is.
    pub(super) fn may_test(&self, weight: Weight) -> bool {
        let share = match weight {
            Weight::Grave => TESTS_GRAVE_SHARE,
            Weight::Minor => TESTS_MINOR_SHARE,
        };
        let most = self.begun.elapsed() * self.lanes / share;
        self.duration.is_none() || self.tests_ns.load(Ordering::Relaxed) < nanos(most)
    }

    /// Runs a test of a hint, and counts the time that it takes.
    pub(super) fn tests<T>(&self, test: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = test();
        let took = nanos(begun.elapsed());
        self.tests_ns.fetch_add(took, Ordering::Relaxed);
        done
    }

    /// The share of settling, added up over the lanes.
    fn share(&self) -> Duration {
        self.duration.unwrap_or_default() * self.lanes / SETTLING_SHARE
    }

    /// What is left of the share of settling, added up over the lanes.
    fn free(&self) -> Duration {
        let share = self.share();
        let claimed = Duration::from_nanos(self.claimed_ns.load(Ordering::Relaxed));
        let kept = Duration::from_nanos(self.kept_ns.load(Ordering::Relaxed)) * self.lanes;
        share.saturating_sub(claimed).saturating_sub(kept)
    }

    fn add_claimed(&self, time: Duration) {
        self.claimed_ns.fetch_add(nanos(time), Ordering::Relaxed);
    }

    pub(super) fn spend(&self, activity: Activity, time: Duration) {
        self.spent_ns[activity as usize].fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Measures how long `work` takes.
    pub(super) fn timed<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.spend(activity, begun.elapsed());
        done
    }

    pub(super) fn spent(&self) -> TimeSpent {
        let seconds = |activity: Activity| {
            self.spent_ns[activity as usize].load(Ordering::Relaxed) as f64 / 1e9
        };
        TimeSpent {
            wall_s: self.begun.elapsed().as_secs_f64(),
            starting_s: seconds(Activity::Starting),
            cases_s: seconds(Activity::Cases),
            looking_s: seconds(Activity::Looking),
            settling_s: seconds(Activity::Settling),
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.clock.spend(Activity::Settling, took);
        let rest = nanos(self.granted.saturating_sub(took));
        self.clock.claimed_ns.fetch_sub(rest, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(duration: Option<u64>) -> CampaignClock {
        let duration = duration.map(Duration::from_secs);
        CampaignClock::new(Instant::now(), duration, 2, Interrupt::default())
    }

    #[test]
    fn settling_gets_a_third_of_the_time_of_all_lanes() {
        let clock = clock(Some(30));
        let claim = clock.claim(Weight::Grave).unwrap();
        assert_eq!(claim.granted, GRAVE_MIN);
        let rest = clock.claim(Weight::Grave).unwrap();
        assert_eq!(rest.granted, Duration::from_secs(8));
        assert!(clock.claim(Weight::Grave).is_none());
        drop(claim);
        drop(rest);
        // What was not used is there again.
        clock.keep(Duration::from_secs(3));
        clock.keep(Duration::from_secs(30));
        let claim = clock.claim(Weight::Grave).unwrap();
        assert!(claim.deadline.left(Duration::MAX) <= Duration::from_secs(10));
        assert!(clock.exploring().left(Duration::MAX) <= Duration::from_secs(25));
        assert!(clock.end().left(Duration::MAX) > Duration::from_secs(25));
    }

    #[test]
    fn what_a_server_survives_leaves_half_of_the_share_to_what_it_does_not() {
        let clock = clock(Some(60));
        let mut minor = Vec::new();
        while let Some(claim) = clock.claim(Weight::Minor) {
            assert!(claim.granted <= Duration::from_secs(10));
            minor.push(claim);
        }
        assert!(minor.len() >= 3);
        let grave = clock.claim(Weight::Grave).unwrap();
        assert!(grave.granted >= GRAVE_MIN);
        let other = clock.claim(Weight::Grave).unwrap();
        assert!(other.granted >= Duration::from_secs(7));
    }

    #[test]
    fn a_server_that_starts_slowly_gets_time_for_its_starts() {
        let mut clock = clock(Some(60));
        clock.starts_in(Duration::from_secs(2));
        for weight in [Weight::Minor, Weight::Grave] {
            let claim = clock.claim(weight).unwrap();
            assert!(claim.granted >= Duration::from_secs(16), "{weight:?}");
        }
    }

    #[test]
    fn tests_of_hints_get_a_part_of_the_time() {
        let mut clock = clock(Some(60));
        clock.begun -= Duration::from_secs(8);
        let (minor, grave) = (Duration::from_secs(3), Duration::from_secs(3));
        assert!(clock.may_test(Weight::Minor));
        clock.tests_ns.store(nanos(minor), Ordering::Relaxed);
        assert!(!clock.may_test(Weight::Minor));
        assert!(clock.may_test(Weight::Grave));
        clock
            .tests_ns
            .store(nanos(minor + grave), Ordering::Relaxed);
        assert!(!clock.may_test(Weight::Grave));
        clock.duration = None;
        assert!(clock.may_test(Weight::Minor));
    }

    #[test]
    fn a_campaign_that_has_stopped_settles_to_its_end() {
        let clock = clock(Some(30));
        let _first = clock.claim(Weight::Grave);
        clock.stop();
        let claim = clock.claim(Weight::Grave).unwrap();
        assert!(claim.deadline.left(Duration::MAX) > Duration::from_secs(25));
    }

    #[test]
    fn without_a_duration_there_is_always_time() {
        let clock = clock(None);
        let _first = clock.claim(Weight::Minor).unwrap();
        clock.keep(Duration::from_secs(100));
        assert!(clock.claim(Weight::Minor).is_some());
        assert!(!clock.is_over());
    }
}
