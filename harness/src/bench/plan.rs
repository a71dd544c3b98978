//! The plan of a sweep, with all defaults.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::axis::Dimension;
use super::grid::Grid;
use super::knob::Knob;
use crate::data::Shard;
use crate::load::Workload;
use crate::load::visit::{MEASURED_LEAST, MEASURED_USUAL, Slice, VISIT_OVERHEAD, WARMUP_LEAST};

/// Minimum number of rounds: with fewer than five no difference is significant, and one may be disturbed.
const ROUNDS_LEAST: usize = 6;
/// Maximum number of rounds: beyond it longer visits are more precise.
const ROUNDS_MOST: usize = 40;
/// Default duration of a sweep.
const BUDGET: Duration = Duration::from_secs(75);
/// Duration of a sweep with `--quick`.
pub(crate) const BUDGET_QUICK: Duration = Duration::from_secs(17);
/// Minimum duration of a sweep after other things that took long: with less no setting differs from another.
pub(crate) const BUDGET_LEAST: Duration = Duration::from_secs(8);
/// Maximum measured time per visit.
const SLICE_MOST: Duration = Duration::from_secs(2);
/// Maximum number of cells of a sweep.
pub(super) const CELLS_MAX: usize = 2_000;
/// Warm-up of a visit as a share of its measured time.
const WARMUP_SHARE: f64 = 0.3;
/// Maximum warm-up of a visit.
const WARMUP_MOST: Duration = Duration::from_millis(300);
/// Estimated time to start and stop a server. Later rounds use the measured overhead of earlier ones.
const START_OVERHEAD: Duration = Duration::from_millis(60);
/// Maximum segment size of Ethernet in bytes; that of the loopback is much larger.
const ETHERNET_MSS: &str = "1448";

/// The plan of a sweep.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub(crate) struct SweepPlan {
    /// What is varied.
    pub axes: Vec<Dimension>,
    /// Everything that is not varied. Warm-up and duration are set for each visit.
    pub base: Workload,
    /// Number of visits per cell, in all parts together.
    pub rounds: usize,
    /// The part that this process runs.
    pub shard: Option<Shard>,
    /// Approximate duration of the whole sweep; parts that run at the same time share it.
    #[serde(rename = "budget_s", serialize_with = "crate::data::seconds::seconds")]
    #[schemars(with = "f64")]
    pub budget: Duration,
    /// Seed of the order of visits. It is not written: another order is the same sweep.
    #[serde(skip)]
    pub seed: u64,
}

impl SweepPlan {
    /// A sweep over these axes with the default duration.
    ///
    /// A socket buffer that is best on the loopback, whose segments hold 64 KiB, can be poor on Ethernet. If a buffer is
    /// varied and no segment size is given, both sizes are measured.
    pub(crate) fn new(mut axes: Vec<Dimension>, base: Workload, seed: u64) -> Self {
        let varies_buffer = axes.iter().any(|axis| axis.knob.buffer().is_some());
        let says_mss = axes.iter().any(|axis| axis.knob == Knob::ClientMss);
        if varies_buffer && !says_mss && base.socket.mss.is_none() {
            // Both values are within the range of the axis.
            axes.extend(Dimension::new(Knob::ClientMss, ["0", ETHERNET_MSS]));
        }
        let plan = Self {
            axes,
            base,
            rounds: ROUNDS_LEAST,
            shard: None,
            budget: BUDGET,
            seed,
        };
        plan.within(BUDGET)
    }

    /// The plan with as many rounds as fit into this time.
    #[must_use]
    pub(crate) fn within(self, budget: Duration) -> Self {
        let grid = Grid::new(&self.axes);
        let visit = MEASURED_USUAL.mul_f64(1.0 + WARMUP_SHARE).as_secs_f64();
        let overhead = Self::overhead(grid.cells(), grid.servers()).as_secs_f64();
        let round = visit * grid.cells() as f64 + overhead;
        let fitting = (budget.as_secs_f64() / round) as usize;
        Self {
            rounds: fitting.clamp(ROUNDS_LEAST, ROUNDS_MOST),
            budget,
            ..self
        }
    }

    /// The plan with the duration of `--quick`.
    #[must_use]
    pub(crate) fn quick(self) -> Self {
        self.within(BUDGET_QUICK)
    }

    /// A part of the sweep: the process takes as long as before, and the whole has as many more rounds as fit into the
    /// time of all parts.
    ///
    /// What is divided are rounds and not cells, since values are compared within a round: two that were measured on
    /// different machines could not be.
    #[must_use]
    pub(crate) fn divided(self, shard: Shard) -> Self {
        let parts = u32::try_from(shard.count).unwrap_or(u32::MAX);
        let budget = self.budget.saturating_mul(parts);
        let whole = self.within(budget);
        Self {
            rounds: whole.rounds.max(shard.count),
            shard: Some(shard),
            ..whole
        }
    }

    /// The plan of the whole sweep of which this is a part: all parts have the same hash of it.
    #[must_use]
    pub(crate) fn whole(self) -> Self {
        Self {
            shard: None,
            ..self
        }
    }

    /// The rounds that this process runs.
    pub(super) fn rounds_here(&self) -> Vec<usize> {
        let of_part = |round: &usize| self.shard.is_none_or(|shard| shard.takes(*round));
        (0..self.rounds).filter(of_part).collect()
    }

    /// Approximate duration of what this process runs.
    pub(super) fn budget_here(&self) -> Duration {
        let parts = self.shard.map_or(1, |shard| shard.count);
        self.budget / u32::try_from(parts).unwrap_or(u32::MAX)
    }

    /// Default axes for the reference server: its read buffer, for small, medium and large messages.
    pub(crate) fn axes_of_the_reference_server() -> Vec<Dimension> {
        let buffers = ["64", "256", "1KiB", "4KiB", "16KiB", "64KiB", "256KiB"];
        let payloads = ["64", "1KiB", "16KiB"];
        // These axes accept all of these values.
        [
            Dimension::new(Knob::Server("recv_buffer".into()), buffers),
            Dimension::new(Knob::Payload, payloads),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The duration of a visit if this many visits and the overhead have to fit into the time left.
    pub(super) fn slice(left: Duration, visits: usize, overhead: Duration) -> Slice {
        let share = left.saturating_sub(overhead).as_secs_f64() / visits.max(1) as f64;
        let measured = share / (1.0 + WARMUP_SHARE);
        let measured = Duration::try_from_secs_f64(measured)
            .unwrap_or(SLICE_MOST)
            .clamp(MEASURED_LEAST, SLICE_MOST);
        Slice {
            warmup: measured
                .mul_f64(WARMUP_SHARE)
                .clamp(WARMUP_LEAST, WARMUP_MOST),
            measured,
        }
    }

    /// Estimated overhead of this many visits and server starts.
    pub(super) fn overhead(visits: usize, starts: usize) -> Duration {
        let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        VISIT_OVERHEAD
            .saturating_mul(times(visits))
            .saturating_add(START_OVERHEAD.saturating_mul(times(starts)))
    }

    /// Expected duration: more than the budget if the shortest visits do not fit.
    #[cfg(test)]
    fn expected(&self) -> Duration {
        let grid = Grid::new(&self.axes);
        let rounds = self.rounds.max(1);
        let (visits, starts) = (
            grid.cells().saturating_mul(rounds),
            grid.servers().saturating_mul(rounds),
        );
        let overhead = Self::overhead(visits, starts);
        let slice = Self::slice(self.budget, visits, overhead);
        let visits = u32::try_from(visits).unwrap_or(u32::MAX);
        overhead.saturating_add((slice.warmup + slice.measured).saturating_mul(visits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::axis::parse_all;

    fn plan(axes: &[&str]) -> SweepPlan {
        SweepPlan::new(parse_all(axes).unwrap(), Workload::default(), 1)
    }

    #[test]
    fn the_usual_sweep_fits_into_its_time() {
        let axes = SweepPlan::axes_of_the_reference_server();
        let usual = SweepPlan::new(axes, Workload::default(), 1);
        assert_eq!(Grid::new(&usual.axes).cells(), 21);
        assert!(usual.expected() <= Duration::from_secs(80));
        assert!((15..20).contains(&usual.rounds), "{}", usual.rounds);
        let quick = usual.quick();
        assert_eq!(quick.rounds, ROUNDS_LEAST);
        assert!(
            quick.expected() < Duration::from_millis(17_001),
            "{:?}",
            quick.expected()
        );
        let slice = SweepPlan::slice(quick.budget, 126, SweepPlan::overhead(126, 42));
        assert!(
            slice.measured >= MEASURED_LEAST && slice.warmup >= WARMUP_LEAST,
            "{slice:?}"
        );
    }

    #[test]
    fn a_slice_is_never_too_short_and_never_endless() {
        let long = SweepPlan::slice(Duration::MAX, 1, Duration::ZERO);
        assert_eq!((long.measured, long.warmup), (SLICE_MOST, WARMUP_MOST));
        let short = SweepPlan::slice(Duration::ZERO, 1000, Duration::from_secs(1));
        assert_eq!(
            (short.measured, short.warmup),
            (MEASURED_LEAST, WARMUP_LEAST)
        );
        let many = plan(&[
            "connections=1,2,3,4,5,6,7,8,9,10",
            "payload=1,2,3,4,5,6,7,8,9,10",
        ]);
        assert!(many.quick().expected() > BUDGET_QUICK);
    }

    #[test]
    fn a_socket_buffer_is_measured_with_the_segments_of_a_wire_too() {
        let mss = |plan: &SweepPlan| {
            plan.axes
                .iter()
                .filter(|axis| axis.knob == Knob::ClientMss)
                .count()
        };
        let added = plan(&["client.so_rcvbuf=0,64KiB"]);
        assert_eq!(added.axes[1].axis().values, ["0", "1448"]);
        assert_eq!(
            mss(&plan(&["server.so_sndbuf=0,64KiB", "client.mss=1000"])),
            1
        );
        assert_eq!(mss(&plan(&["server.recv_buffer=64,1KiB"])), 0);
        let said = Workload {
            socket: crate::load::SocketOptions {
                mss: Some(1448),
                ..Default::default()
            },
            ..Workload::default()
        };
        let axes = parse_all(["client.so_rcvbuf=0"]).unwrap();
        assert_eq!(mss(&SweepPlan::new(axes, said, 1)), 0);
    }

    #[test]
    fn parts_share_the_rounds_and_take_as_long_as_a_whole() {
        let part = |index, count| {
            let whole = plan(&["payload=64,1KiB"]).quick();
            whole.divided(Shard { index, count })
        };
        let all: Vec<_> = (1..=4).map(|index| part(index, 4)).collect();
        let mut rounds: Vec<usize> = all.iter().flat_map(SweepPlan::rounds_here).collect();
        rounds.sort_unstable();
        assert_eq!(rounds, (0..all[0].rounds).collect::<Vec<_>>());
        assert!(all.iter().all(|part| part.budget_here() == BUDGET_QUICK));
        assert_eq!(all[0].clone().whole(), all[3].clone().whole());
        // Each of many parts has a round.
        let many = part(64, 64);
        assert_eq!((many.rounds, many.rounds_here()), (64, vec![63]));
    }

    #[test]
    fn a_plan_is_written_with_its_axes() {
        let json = serde_json::to_value(plan(&["payload=64,1KiB"])).unwrap();
        assert_eq!(json["axes"][0]["values"][1], "1024");
        assert_eq!(json["budget_s"], 75.0);
    }
}
