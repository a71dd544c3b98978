//! A gate from start to end: the duet with fresh sessions for suspect metrics, the counting, the matrix. The duet comes
//! first: it needs its time, and a clear regression ends the gate. What it does not use is for servers that start slowly
//! under valgrind.

use std::time::{Duration, Instant};

use super::counted::{self, CountedTier};
use super::duet::{Duet, DuetEnd, DuetSamples, SessionTrouble};
use super::judged::{duet_cells, duet_metrics, is_cpu, settle};
use super::matrix::Matrix;
use super::metric::{Metric, Tier};
use super::plan::{DuetPlan, GatePlan};
use super::result::{BrokenServer, ControlReport, DuetSummary, GateResult, SkippedTier};
use super::rule::{CONTROL_LEAST, FirstStage, Rule};
use super::samples::{DuetRecord, GateSamples};
use super::scripts::{Scripts, scripts_time};
use super::side::Pair;
use crate::event::{Event, Sink};
use crate::load::machine::Machine;
use crate::subject::{Interrupt, Subject};
use crate::sys::can_fix_addresses;

/// When each tier should be over, as a share of the time limit: some sessions take longer than planned.
const ENDS: f64 = 0.985;
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
    /// Runs all tiers. After an interrupt, or when the time is over, the result contains what was measured until then.
    ///
    /// Returns the samples from which the cells follow.
    pub fn run(&self, result: &mut GateResult) -> GateSamples {
        let mut samples = GateSamples::default();
        let interrupt = &self.interrupt.or_at(self.begun + self.plan.max_time);
        if let Some(plan) = &self.plan.duet {
            samples.duet = Some(self.duet(plan, result));
        }
        let is_clear = result.duet.is_some_and(|duet| duet.ended == DuetEnd::Clear);
        let goes_on = |result: &GateResult| result.broken.is_none() && !interrupt.is_set();
        let mut scripts = Scripts::new(self.subjects, self.plan, interrupt);
        let mut tier = CountedTier::default();
        if goes_on(result) {
            scripts.explain_early(result, self.left_for(self.plan.matrix_time()));
        }
        if goes_on(result) {
            // After a clear regression it is counted only to see where.
            let most = if is_clear {
                self.plan.counting_time()
            } else {
                self.plan.max_time
            };
            tier = self.counting(most, interrupt, result);
        }
        if goes_on(result) {
            scripts.explain(result, self.left_for(self.plan.matrix_time()));
        }
        scripts.replace(result, tier.interpreter.as_deref());
        samples.counted = tier.samples;
        let matrix = self.plan.matrix.as_ref().filter(|_| !is_clear);
        if let Some(plan) = matrix.filter(|_| goes_on(result)) {
            let matrix = Matrix {
                subjects: self.subjects,
                plan,
                gate: self.plan,
                interrupt,
                sink: self.sink,
            };
            samples.matrix = Some(matrix.add_to(result));
        }
        if is_clear && self.plan.matrix.is_some() {
            result.skipped.push(SkippedTier {
                tier: Tier::Matrix,
                reason: format!(
                    "{}: the sessions of both servers have shown a clear regression",
                    Tier::Matrix.about()
                ),
            });
        }
        settle(result, self.plan);
        samples
    }

    fn counting(
        &self,
        most: Duration,
        interrupt: &Interrupt,
        result: &mut GateResult,
    ) -> CountedTier {
        let Some(what) = self.plan.counting_step() else {
            return CountedTier::default();
        };
        let sessions = self.plan.duet.as_ref().map_or(0, DuetPlan::sessions);
        (self.sink)(Event::Step {
            done: sessions,
            all: sessions,
            what,
        });
        let limit = self.left_for(self.plan.matrix_time()).min(most);
        counted::add(result, self.subjects, self.plan, limit, interrupt)
    }

    fn duet(&self, plan: &DuetPlan, result: &mut GateResult) -> DuetRecord {
        let counting = self.plan.counting_time();
        let after = counting.max(scripts_time(self.subjects, self.plan.max_time));
        let left = || self.left_for(self.plan.matrix_time() + after);
        let interrupt = &self.interrupt.or_at(Instant::now() + left());
        let plan = &plan.within(left(), plan.sessions());
        let (begun, machine) = (Instant::now(), Machine::read());
        let is_clear = |samples: &DuetSamples| self.is_clear(samples, plan);
        let first = Duet::new(self.subjects, plan, interrupt, self.sink)
            .until(&is_clear)
            .first();
        let goes_on = first.broken.is_none() && first.ended == DuetEnd::Planned;
        let suspect = goes_on
            && !interrupt.is_set()
            && duet_metrics().any(|metric| {
                self.rule(metric).first(&first.log_ratios(metric)) == FirstStage::Suspect
            });
        let fresh = if suspect {
            let plan = plan.within(left(), plan.fresh);
            Duet::new(self.subjects, &plan, interrupt, self.sink).fresh()
        } else {
            DuetSamples::default()
        };
        let machine = Machine::read().since(&machine);
        let summary = summary(&first, &fresh, begun.elapsed(), &machine);
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
        let record = DuetRecord::of(first, fresh);
        let session_s = Some(summary.session_s);
        result
            .cells
            .extend(duet_cells(&[&record], self.plan, session_s));
        let control = self.rule(Metric::ServerCpu).control(&record.control);
        result.control = Some(ControlReport::of(&control));
        record
    }

    /// Whether a deciding metric is so many times over its budget that no further session is needed, and the control
    /// has enough sessions.
    fn is_clear(&self, samples: &DuetSamples, plan: &DuetPlan) -> bool {
        let is_clear = |metric: Metric| {
            let is_steady = !is_cpu(metric) || samples.is_steady();
            is_steady && self.rule(metric).is_clear(&samples.log_ratios(metric))
        };
        let deciding = duet_metrics().filter(|metric| self.plan.decides(*metric));
        samples.control.len() >= plan.control.min(CONTROL_LEAST) && { deciding }.any(is_clear)
    }

    /// The time left for a tier, if what follows it takes this long.
    fn left_for(&self, following: Duration) -> Duration {
        let gone = self.begun.elapsed() + following;
        self.plan.max_time.mul_f64(ENDS).saturating_sub(gone)
    }

    fn rule(&self, metric: Metric) -> Rule {
        Rule {
            budget: self.plan.budget(metric),
        }
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
        ended: if first.ended == DuetEnd::Planned {
            fresh.ended
        } else {
            first.ended
        },
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
