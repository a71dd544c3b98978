//! A validated description of a sweep. All defaults live here.

use std::time::Duration;

use serde::Serialize;

use super::axis::Dimension;
use super::grid::Grid;
use super::knob::Knob;
use crate::load::Workload;

/// Rounds, at least: with fewer than five nothing can be told apart, and one may be disturbed.
pub const ROUNDS_LEAST: usize = 6;
/// And at most: beyond it longer visits tell more.
pub const ROUNDS_MOST: usize = 40;
/// The measured part of one visit, where there is time for more rounds than the least. Many short visits
/// tell more than few long ones: what disturbs the machine spoils fewer of them.
pub const SLICE_USUAL: Duration = Duration::from_millis(120);
/// How long a sweep takes, about, where nothing else is said.
pub const BUDGET: Duration = Duration::from_secs(75);
/// The same for `--quick`.
pub const BUDGET_QUICK: Duration = Duration::from_secs(17);
/// The measured part of one visit lasts at least so long, whatever the time that is left.
pub const SLICE_LEAST: Duration = Duration::from_millis(60);
/// And at most so long.
pub const SLICE_MOST: Duration = Duration::from_secs(2);
/// Most cells of a sweep.
pub const CELLS_MAX: usize = 2_000;
/// Warm-up of a visit as a share of its measured part, and its bounds.
const WARMUP_SHARE: f64 = 0.3;
const WARMUP_LEAST: Duration = Duration::from_millis(20);
const WARMUP_MOST: Duration = Duration::from_millis(300);
/// What the first round takes beside the visits, as measured: connects and looks at both ends a visit,
/// and the life of a server. Later rounds go by what the earlier ones took.
const VISIT_OVERHEAD: Duration = Duration::from_millis(25);
const LIFE_OVERHEAD: Duration = Duration::from_millis(60);
/// An Ethernet's largest segment, which a loopback's hides.
const MSS_OF_THE_WIRE: &str = "1448";

/// What is measured, and how long that may take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepPlan {
    /// What is varied.
    pub axes: Vec<Dimension>,
    /// Everything that is not. Its warm-up and duration are set for each visit.
    pub base: Workload,
    /// How often each cell is visited.
    pub rounds: usize,
    /// About how long it may take, all in all.
    #[serde(rename = "budget_s", serialize_with = "crate::data::seconds::seconds")]
    pub budget: Duration,
    /// Seed of the order of visits. No part of what is written: another order is the same sweep.
    #[serde(skip)]
    pub seed: u64,
}

/// How one visit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Load that is dropped.
    pub warmup: Duration,
    /// Load that is measured.
    pub measured: Duration,
}

impl SweepPlan {
    /// These axes over this load, in the usual time.
    ///
    /// A socket buffer that is best on the loopback, whose segments hold 64 KiB, can be poor on a wire:
    /// where one is varied and nothing says which segments, both sizes are measured.
    pub fn new(mut axes: Vec<Dimension>, base: Workload, seed: u64) -> Self {
        let varies_buffer = axes.iter().any(|axis| axis.knob.buffer().is_some());
        let says_mss = axes.iter().any(|axis| axis.knob == Knob::ClientMss);
        if varies_buffer && !says_mss && base.socket.mss.is_none() {
            // Both values are within the bounds of the axis.
            axes.extend(Dimension::new(Knob::ClientMss, ["0", MSS_OF_THE_WIRE]));
        }
        let plan = Self {
            axes,
            base,
            rounds: ROUNDS_LEAST,
            budget: BUDGET,
            seed,
        };
        plan.within(BUDGET)
    }

    /// As many rounds as fit into this time.
    #[must_use]
    pub fn within(self, budget: Duration) -> Self {
        let grid = Grid::new(&self.axes);
        let visit = SLICE_USUAL.mul_f64(1.0 + WARMUP_SHARE).as_secs_f64();
        let overhead = Self::overhead(grid.cells(), grid.servers()).as_secs_f64();
        let round = visit * grid.cells() as f64 + overhead;
        let fitting = (budget.as_secs_f64() / round) as usize;
        Self {
            rounds: fitting.clamp(ROUNDS_LEAST, ROUNDS_MOST),
            budget,
            ..self
        }
    }

    /// The same in little time.
    #[must_use]
    pub fn quick(self) -> Self {
        self.within(BUDGET_QUICK)
    }

    /// What is varied where nothing is said, for the reference server: how much it reads at once, for
    /// small, middling and large messages.
    pub fn axes_of_the_reference_server() -> Vec<Dimension> {
        let buffers = ["64", "256", "1KiB", "4KiB", "16KiB", "64KiB", "256KiB"];
        let payloads = ["64", "1KiB", "16KiB"];
        // All of them are values that these axes take.
        [
            Dimension::new(Knob::Server("recv_buffer".into()), buffers),
            Dimension::new(Knob::Payload, payloads),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How a visit goes if so many visits and lives of servers are to fit into `left`, of which the
    /// overhead takes its part first.
    pub fn slice(left: Duration, visits: usize, overhead: Duration) -> Slice {
        let share = left.saturating_sub(overhead).as_secs_f64() / visits.max(1) as f64;
        let measured = share / (1.0 + WARMUP_SHARE);
        let measured = Duration::try_from_secs_f64(measured)
            .unwrap_or(SLICE_MOST)
            .clamp(SLICE_LEAST, SLICE_MOST);
        Slice {
            warmup: measured
                .mul_f64(WARMUP_SHARE)
                .clamp(WARMUP_LEAST, WARMUP_MOST),
            measured,
        }
    }

    /// What the first round takes beside its slices.
    pub fn overhead(visits: usize, lives: usize) -> Duration {
        let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        VISIT_OVERHEAD
            .saturating_mul(times(visits))
            .saturating_add(LIFE_OVERHEAD.saturating_mul(times(lives)))
    }

    /// About how long it will take: more than the budget where the shortest slices do not fit.
    #[cfg(test)]
    fn expected(&self) -> Duration {
        let grid = Grid::new(&self.axes);
        let rounds = self.rounds.max(1);
        let (visits, lives) = (
            grid.cells().saturating_mul(rounds),
            grid.servers().saturating_mul(rounds),
        );
        let overhead = Self::overhead(visits, lives);
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
            slice.measured >= SLICE_LEAST && slice.warmup >= WARMUP_LEAST,
            "{slice:?}"
        );
    }

    #[test]
    fn a_slice_is_never_too_short_and_never_endless() {
        let long = SweepPlan::slice(Duration::MAX, 1, Duration::ZERO);
        assert_eq!((long.measured, long.warmup), (SLICE_MOST, WARMUP_MOST));
        let short = SweepPlan::slice(Duration::ZERO, 1000, Duration::from_secs(1));
        assert_eq!((short.measured, short.warmup), (SLICE_LEAST, WARMUP_LEAST));
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
    fn a_plan_is_written_with_its_axes() {
        let json = serde_json::to_value(plan(&["payload=64,1KiB"])).unwrap();
        assert_eq!(json["axes"][0]["values"][1], "1024");
        assert_eq!(json["budget_s"], 75.0);
    }
}
