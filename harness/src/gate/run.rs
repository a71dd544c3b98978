//! A gate from start to end: the counting, the duet with fresh sessions for suspect metrics, the matrix.

use std::time::{Duration, Instant};

use super::counted;
use super::duet::{Duet, DuetSamples, SessionSample, SessionTrouble};
use super::matrix::Matrix;
use super::metric::{ALL, Metric, Tier};
use super::plan::{DuetPlan, GatePlan, MatrixPlan};
use super::result::{BrokenServer, ControlReport, DuetSummary, GateCell, GateResult};
use super::rule::{CellVerdict, FirstStage, Rule};
use super::side::{Pair, Side};
use crate::event::{Event, Sink};
use crate::load::machine::Machine;
use crate::stats::median;
use crate::subject::{Interrupt, Subject};
use crate::sys::can_fix_addresses;

/// When the last session should be over, as a share of the time limit: some sessions take longer than planned.
const DUET_ENDS: f64 = 0.985;
/// Minimum steal that is worth a note, in percent.
const STEAL_PCT: f64 = 1.0;

/// Base and candidate, and how they are compared.
pub struct Gate<'a> {
    /// The two servers.
    pub subjects: Pair<&'a Subject>,
    /// What to do.
    pub plan: &'a GatePlan,
    /// When the gate began: its time limit counts from here.
    pub begun: Instant,
    /// Ends the gate early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// Live progress.
    pub sink: Sink<'a>,
}

impl Gate<'_> {
    /// Runs all tiers. After an interrupt the result contains what was measured until then.
    pub fn run(&self, result: &mut GateResult) {
        let duet = self.plan.duet.as_ref();
        if let Some(what) = self.plan.counting_step() {
            (self.sink)(Event::Step {
                done: 0,
                all: duet.map_or(0, DuetPlan::sessions),
                what,
            });
            counted::add(result, self.subjects, self.plan, self.interrupt);
        }
        if let Some(duet) = duet.filter(|_| !self.interrupt.is_set()) {
            self.duet(duet, result);
        }
        let goes_on = result.broken.is_none() && !self.interrupt.is_set();
        if let Some(plan) = self.plan.matrix.as_ref().filter(|_| goes_on) {
            let matrix = Matrix {
                subjects: self.subjects,
                plan,
                gate: self.plan,
                interrupt: self.interrupt,
                sink: self.sink,
            };
            matrix.add_to(result);
        }
        result.cells.sort_by_key(|cell| {
            let place = ALL.iter().position(|metric| *metric == cell.metric);
            place.unwrap_or(ALL.len())
        });
    }

    fn duet(&self, plan: &DuetPlan, result: &mut GateResult) {
        let plan = &plan.within(self.left(), plan.sessions());
        let (begun, machine) = (Instant::now(), Machine::read());
        let first = Duet::new(self.subjects, plan, self.interrupt, self.sink).first();
        let suspect = first.broken.is_none()
            && !self.interrupt.is_set()
            && duet_metrics().any(|metric| {
                self.rule(metric).first(&first.log_ratios(metric)) == FirstStage::Suspect
            });
        let fresh = if suspect {
            let plan = plan.within(self.left(), plan.fresh);
            Duet::new(self.subjects, &plan, self.interrupt, self.sink).fresh()
        } else {
            DuetSamples::default()
        };
        let machine = Machine::read().since(&machine);
        let summary = summary(&first, &fresh, begun.elapsed(), &machine);
        result.cells.extend(
            duet_metrics().map(|metric| self.cell(metric, &first, &fresh, summary.session_s)),
        );
        let control = self.rule(Metric::ServerCpu).control(&first.control);
        result.control = Some(ControlReport::of(&control));
        result.broken = [&first, &fresh]
            .into_iter()
            .find_map(|samples| samples.broken.as_ref().map(broken));
        let repeated = first.repeated.iter().chain(&fresh.repeated);
        result.notes.extend(repeated.map(|trouble| {
            let BrokenServer { side, what } = broken(trouble);
            format!("a session was repeated: the {side} {what}")
        }));
        result.notes.extend(notes(&summary));
        result.duet = Some(summary);
    }

    /// The time left for the duet.
    fn left(&self) -> Duration {
        let matrix = self.plan.matrix.as_ref().map(MatrixPlan::time);
        let other = self.begun.elapsed() + matrix.unwrap_or_default();
        self.plan.max_time.mul_f64(DUET_ENDS).saturating_sub(other)
    }

    fn rule(&self, metric: Metric) -> Rule {
        Rule {
            budget: self.plan.budget(metric),
        }
    }

    fn cell(
        &self,
        metric: Metric,
        first: &DuetSamples,
        fresh: &DuetSamples,
        session_s: f64,
    ) -> GateCell {
        let (ratios, again) = (first.log_ratios(metric), fresh.log_ratios(metric));
        let mut comparison = self.rule(metric).compare(&ratios, &again);
        let real = || first.real.iter().chain(&fresh.real);
        let figure = |side: Side| {
            let values: Vec<f64> = real().map(|sample| figure(sample, side, metric)).collect();
            median(&values)
        };
        let unsteady = real().find_map(|sample| sample.unsteady);
        let reason = unsteady.filter(|_| is_cpu(metric)).map(|side| {
            comparison.verdict = CellVerdict::Inconclusive;
            format!(
                "processes of the {side} start and exit during sessions: the CPU time of those that exit is not in the figure"
            )
        });
        let sessions = comparison.sessions_to_settle.filter(|_| reason.is_none());
        GateCell {
            metric,
            tier: metric.tier(),
            at: None,
            unit: metric.unit(),
            decides: self.plan.decides(metric),
            base: figure(Side::Base),
            candidate: figure(Side::Candidate),
            spread_pct: comparison.spread_pct(),
            settles_in_s: sessions.map(|first| {
                let session = Duration::from_secs_f64(session_s.max(0.0));
                self.plan.seconds_for(first, session)
            }),
            reason,
            comparison,
        }
    }
}

fn duet_metrics() -> impl Iterator<Item = Metric> {
    ALL.into_iter().filter(|metric| metric.tier() == Tier::Duet)
}

fn is_cpu(metric: Metric) -> bool {
    matches!(metric, Metric::ServerCpu | Metric::ServerCpuAll)
}

fn figure(sample: &SessionSample, side: Side, metric: Metric) -> f64 {
    let figures = &sample.sides[side];
    match metric {
        Metric::P50 => figures.p50_us,
        Metric::Rss => figures.rss_bytes,
        _ => figures.cpu_us,
    }
}

fn summary(
    first: &DuetSamples,
    fresh: &DuetSamples,
    took: Duration,
    machine: &Machine,
) -> DuetSummary {
    let repeated = first.repeated.len() + fresh.repeated.len();
    let all = first.real.len() + first.control.len() + fresh.real.len() + repeated;
    DuetSummary {
        real: first.real.len(),
        control: first.control.len(),
        fresh: fresh.real.len(),
        repeated,
        exchanges: first
            .real
            .iter()
            .chain(&fresh.real)
            .map(|sample| sample.exchanges)
            .sum(),
        session_s: took.as_secs_f64() / all.max(1) as f64,
        cores: first.cores,
        fixed_addresses: can_fix_addresses(),
        steal_pct: machine.steal_percent(),
        throttled: machine.throttled,
    }
}

/// Properties of the machine that explain wide intervals.
fn notes(summary: &DuetSummary) -> Vec<String> {
    let mut notes = Vec::new();
    if summary.cores.is_none() {
        notes.push("servers and clients share a single core: the clients disturb both servers, and intervals are wider".to_owned());
    }
    if !summary.fixed_addresses {
        notes.push("this system (usually a container) does not load the servers at the same addresses in every session, which makes some faster or slower for a whole session: intervals are wider".to_owned());
    }
    if summary.steal_pct > STEAL_PCT {
        notes.push(format!(
            "the hypervisor gave {:.1} % of the machine's CPU time to others (steal)",
            summary.steal_pct
        ));
    }
    if summary.throttled > 0 {
        notes.push(format!(
            "the control group was throttled {} times because its CPU quota was used up",
            summary.throttled
        ));
    }
    notes
}

fn broken(trouble: &SessionTrouble) -> BrokenServer {
    BrokenServer {
        side: trouble.side,
        what: trouble.fault.to_string(),
    }
}
