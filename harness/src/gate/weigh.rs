//! Whether more instructions are a regression: what they cost decides. Pure.
//!
//! Callgrind counts the instructions outside the kernel. Where most of an operation is system calls, a few
//! instructions more are a large share of them and next to nothing of the time: from 217 to 1,749 was 1.4 % of the CPU
//! time. So
//! unless the user gave instructions a budget, CPU time has the last word. If it passes, more instructions are only
//! shown. If it is inconclusive, they decide as far as they must cost more than the budget of CPU time, at the speed of
//! the fastest processors.

use super::metric::Metric;
use super::plan::GatePlan;
use super::result::{ControlReport, GateCell};
use super::rule::CellVerdict;

/// Instructions per microsecond that hardly any program exceeds: 2.5 per cycle at 4 GHz.
const PER_US_MAX: f64 = 10_000.0;

/// What the duet says about CPU time.
struct CpuTime {
    verdict: CellVerdict,
    base_us: f64,
    budget_pct: f64,
}

/// Decides whether a failure by instructions counts, and explains it in the cell. Without a duet it does.
pub(super) fn weigh(cells: &mut [GateCell], control: Option<&ControlReport>, plan: &GatePlan) {
    let Some(cpu) = CpuTime::of(cells, control) else {
        return;
    };
    let is_failed = |cell: &&mut GateCell| cell.metric == Metric::Instructions && cell.fails();
    for cell in cells.iter_mut().filter(is_failed) {
        let cost_pct = cpu.least_cost_pct(cell);
        let cost = format!("they cost at least {cost_pct:.2} % of the CPU time of an operation");
        let budget = format!("within its budget of {} %", cpu.budget_pct);
        let why = if plan.is_asked(cell.metric) {
            continue;
        } else if cpu.verdict == CellVerdict::Pass {
            cell.decides = false;
            format!("shown only, since the CPU time of an operation stays {budget}")
        } else if cpu.verdict == CellVerdict::Inconclusive && cost_pct <= cpu.budget_pct {
            cell.decides = false;
            format!("shown only: {cost}, which is {budget}; CPU time decides")
        } else {
            cost
        };
        cell.reason = Some(why);
    }
}

impl CpuTime {
    /// `None` if it was not measured. A void control takes back a pass.
    fn of(cells: &[GateCell], control: Option<&ControlReport>) -> Option<Self> {
        let cell = cells.iter().find(|cell| cell.metric == Metric::ServerCpu)?;
        let is_void = control.is_some_and(|control| control.void);
        Some(Self {
            verdict: match cell.comparison.verdict {
                CellVerdict::Pass if is_void => CellVerdict::Inconclusive,
                verdict => verdict,
            },
            base_us: cell.base.filter(|base| *base > 0.0)?,
            budget_pct: cell.comparison.budget_pct,
        })
    }

    /// What the additional instructions cost at the least, in percent of the CPU time of an operation.
    fn least_cost_pct(&self, cell: &GateCell) -> f64 {
        let more = cell.comparison.low_pct.zip(cell.base);
        let more = more.map_or(0.0, |(low_pct, base)| base * low_pct / 100.0);
        more / PER_US_MAX / self.base_us * 100.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::data::Unit;
    use crate::gate::GateRequest;
    use crate::gate::counters::PerOp;
    use crate::gate::counters::judge::judge;
    use crate::gate::rule::Rule;
    use crate::load::Workload;

    fn plan(asked: &[Metric]) -> GatePlan {
        GatePlan::without_duet(GateRequest {
            budgets: asked
                .iter()
                .map(|metric| (*metric, 0.02))
                .collect::<BTreeMap<_, _>>(),
            workload: Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(60),
            exchange: Duration::ZERO,
            counts: true,
            sessions: None,
        })
    }

    fn cell(metric: Metric, base: f64) -> GateCell {
        GateCell {
            metric,
            tier: metric.tier(),
            at: None,
            unit: Unit::Count,
            decides: true,
            base: Some(base),
            candidate: None,
            comparison: Rule { budget: 0.02 }.compare(&[], &[]),
            spread_pct: None,
            settles_in_s: None,
            reason: None,
        }
    }

    /// CPU time of this many microseconds that changed by `percent`, measured with this spread.
    fn cpu(base_us: f64, percent: f64, spread: f64) -> GateCell {
        let ratios = |n: i32| -> Vec<f64> {
            let noise = |place| spread * (f64::from(place % 5) - 2.0) / 100.0;
            (0..n)
                .map(|place| (percent / 100.0).ln_1p() + noise(place))
                .collect()
        };
        GateCell {
            comparison: Rule { budget: 0.02 }.compare(&ratios(20), &ratios(12)),
            ..cell(Metric::ServerCpu, base_us)
        }
    }

    fn instructions(base: f64, candidate: f64) -> GateCell {
        let exactly = |count| PerOp {
            estimate: count,
            low: count,
            high: count,
        };
        let judged = judge(&exactly(base), &exactly(candidate), 0.02);
        GateCell {
            comparison: judged.comparison(4),
            ..cell(Metric::Instructions, base)
        }
    }

    /// Whether the gate fails by instructions, and the explanation.
    fn weighed(instructions: GateCell, cpu: GateCell, asked: &[Metric]) -> (bool, String) {
        let mut cells = [instructions, cpu];
        weigh(&mut cells, None, &plan(asked));
        (
            cells[0].fails(),
            cells[0].reason.clone().unwrap_or_default(),
        )
    }

    #[test]
    fn more_instructions_that_cost_no_time_are_shown() {
        let (fails, why) = weighed(instructions(217.0, 1_749.0), cpu(12.0, 1.4, 0.1), &[]);
        assert!(!fails && why.contains("within its budget of 2 %"), "{why}");
        // CPU time could not be settled: 1,532 instructions take 0.15 us at least, of 12 us.
        let (fails, why) = weighed(instructions(217.0, 1_749.0), cpu(12.0, 1.4, 4.0), &[]);
        assert!(!fails && why.contains("at least 1.28 %"), "{why}");
    }

    #[test]
    fn a_tenth_more_work_of_a_server_that_computes_fails() {
        let more = || instructions(300_000.0, 330_000.0);
        let (fails, why) = weighed(more(), cpu(100.0, 10.0, 0.3), &[]);
        assert!(fails && why.contains("at least 3.00 %"), "{why}");
        // Although this machine is too noisy to measure it.
        let (fails, why) = weighed(more(), cpu(100.0, 10.0, 30.0), &[]);
        assert!(fails && why.contains("at least 3.00 %"), "{why}");
    }

    #[test]
    fn a_budget_of_the_user_decides_whatever_it_costs() {
        let asked = [Metric::Instructions];
        let (fails, _) = weighed(instructions(217.0, 1_749.0), cpu(12.0, 0.0, 0.1), &asked);
        assert!(fails);
    }

    #[test]
    fn a_pass_of_a_void_duet_settles_nothing() {
        let void = Rule { budget: 0.02 }.control(&[]);
        let mut cells = [instructions(3e5, 3.3e5), cpu(100.0, 0.0, 0.1)];
        weigh(&mut cells, Some(&ControlReport::of(&void)), &plan(&[]));
        assert!(cells[0].fails());
    }

    #[test]
    fn without_a_duet_instructions_decide() {
        let mut cells = [instructions(217.0, 1_749.0)];
        weigh(&mut cells, None, &plan(&[]));
        assert!(cells[0].fails());
    }
}
