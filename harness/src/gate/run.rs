//! A gate from its begin to its end: the counting, the duet with the fresh sessions of a suspect, the matrix.

use std::time::{Duration, Instant};

use super::duet::{Duet, DuetPlan, Sample, Sessions, Trouble};
use super::matrix::MatrixPlan;
use super::metric::{ALL, Metric, Tier};
use super::plan::GatePlan;
use super::result::{BASE, Broken, CANDIDATE, ControlReport, GateCell, GateResult, Held};
use super::rule::{First, Rule, Verdict};
use super::{counted, matrix};
use crate::event::{Event, Sink};
use crate::load::machine::Machine;
use crate::stats::median;
use crate::subject::{Interrupt, Subject};
use crate::sys::can_fix_addresses;

/// Quantiles of the standard normal distribution: the two one-sided 95 % bounds lie twice this far from the
/// estimate, in standard errors.
const Z_95: f64 = 1.644_854;
/// When the last session is to be over, as a share of the time: some take a little longer than planned.
const DUET_ENDS: f64 = 0.985;
/// A server that ends has ended this long after its connections did.
pub(super) const LAST_MOMENTS: Duration = Duration::from_millis(300);
/// More steal than this, in percent, is worth a word.
const STEAL_PCT: f64 = 1.0;

/// Base and candidate, and how they are compared.
pub struct Gate<'a> {
    /// The server as it was.
    pub base: &'a Subject,
    /// The server as it is to be.
    pub candidate: &'a Subject,
    /// What is to be done.
    pub plan: &'a GatePlan,
    /// When it was begun: its time counts from then.
    pub begun: Instant,
    /// Ends it early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// Live progress.
    pub sink: Sink<'a>,
}

impl Gate<'_> {
    /// All of it, what is counted first. An end that is asked for keeps what was measured.
    pub fn run(&self, result: &mut GateResult) {
        let sides = [self.base, self.candidate];
        let duet = self.plan.duet.as_ref();
        let sessions = duet.map_or(0, |duet| duet.real + duet.control + duet.fresh);
        if let Some(what) = self.plan.counting_step() {
            (self.sink)(Event::Step {
                done: 0,
                all: sessions,
                what,
            });
            counted::add(result, sides, self.plan, self.interrupt);
        }
        if let Some(duet) = duet.filter(|_| !self.interrupt.is_set()) {
            self.duet(duet, result);
        }
        let goes_on = result.broken.is_none() && !self.interrupt.is_set();
        if let Some(plan) = self.plan.matrix.as_ref().filter(|_| goes_on) {
            matrix::add(result, self, plan);
        }
        result.cells.sort_by_key(|cell| {
            let place = ALL.iter().position(|metric| *metric == cell.metric);
            place.unwrap_or(ALL.len())
        });
    }

    fn duet(&self, plan: &DuetPlan, result: &mut GateResult) {
        let sessions = plan.real + plan.control + plan.fresh;
        let plan = &plan.within(self.left(), sessions);
        let duet = Duet::new(self.base, self.candidate, plan, self.interrupt, self.sink);
        let (begun, machine) = (Instant::now(), Machine::read());
        let first = duet.first();
        let suspect = first.broken.is_none()
            && !self.interrupt.is_set()
            && duet_metrics()
                .any(|metric| self.rule(metric).first(&first.log_ratios(metric)) == First::Suspect);
        let fresh = match suspect {
            true => {
                let plan = plan.within(self.left(), plan.fresh);
                Duet::new(self.base, self.candidate, &plan, self.interrupt, self.sink).fresh()
            }
            false => Sessions::default(),
        };
        let machine = Machine::read().since(&machine);
        let held = held(&first, &fresh, begun.elapsed(), &machine);
        result
            .cells
            .extend(duet_metrics().map(|metric| self.cell(metric, &first, &fresh, held.session_s)));
        let control = self.rule(Metric::ServerCpu).control(&first.control);
        result.control = Some(ControlReport::of(&control));
        result.broken = [&first, &fresh]
            .into_iter()
            .find_map(|sessions| sessions.broken.as_ref().map(broken));
        let repeated = first.repeated.iter().chain(&fresh.repeated);
        result.notes.extend(repeated.map(|trouble| {
            let Broken { side, what } = broken(trouble);
            format!("a session was held again: the {side} {what}")
        }));
        result.notes.extend(notes(&held));
        result.duet = Some(held);
    }

    /// The time that is left for the duet.
    fn left(&self) -> Duration {
        let matrix = self.plan.matrix.as_ref().map(MatrixPlan::time);
        let beside = self.begun.elapsed() + matrix.unwrap_or_default();
        self.plan.max_time.mul_f64(DUET_ENDS).saturating_sub(beside)
    }

    fn rule(&self, metric: Metric) -> Rule {
        Rule {
            budget: self.plan.budget(metric),
        }
    }

    fn cell(&self, metric: Metric, first: &Sessions, fresh: &Sessions, session_s: f64) -> GateCell {
        let (ratios, again) = (first.log_ratios(metric), fresh.log_ratios(metric));
        let mut cell = self.rule(metric).cell(&ratios, &again);
        let real = || first.real.iter().chain(&fresh.real);
        let figure = |side: usize| {
            let values: Vec<f64> = real().map(|sample| figure(sample, side, metric)).collect();
            median(&values)
        };
        let unsteady = real().find_map(|sample| sample.unsteady);
        let reason = unsteady.filter(|_| is_cpu(metric)).map(|side| {
            cell.verdict = Verdict::Inconclusive;
            format!(
                "processes of the {} come and go: what those used that ended between two looks is not in the figure",
                side_name(side, false)
            )
        });
        let sessions = cell.sessions_to_settle.filter(|_| reason.is_none());
        GateCell {
            metric,
            tier: metric.tier(),
            at: None,
            unit: metric.unit(),
            decides: self.plan.deciding.contains(&metric),
            base: figure(0),
            candidate: figure(1),
            spread_pct: spread(&cell),
            settles_in_s: sessions.map(|first| {
                let session = Duration::from_secs_f64(session_s.max(0.0));
                self.plan.seconds_for(first, session)
            }),
            reason,
            cell,
        }
    }
}

fn duet_metrics() -> impl Iterator<Item = Metric> {
    ALL.into_iter().filter(|metric| metric.tier() == Tier::Duet)
}

fn is_cpu(metric: Metric) -> bool {
    matches!(metric, Metric::ServerCpu | Metric::ServerCpuAll)
}

fn figure(sample: &Sample, side: usize, metric: Metric) -> f64 {
    let figures = &sample.sides[side];
    match metric {
        Metric::P50 => figures.p50_us,
        Metric::Rss => figures.rss_bytes,
        _ => figures.cpu_us,
    }
}

/// The standard deviation of the sessions that a cell was judged by, from the width of its interval, which a
/// few wild sessions hardly move.
pub(super) fn spread(cell: &super::rule::Cell) -> Option<f64> {
    let sessions = match cell.fresh_sessions {
        0 => cell.sessions,
        fresh => fresh,
    };
    let error = (cell.high_pct? - cell.low_pct?) / (2.0 * Z_95);
    Some(error * (sessions as f64).sqrt())
}

fn held(first: &Sessions, fresh: &Sessions, took: Duration, machine: &Machine) -> Held {
    let repeated = first.repeated.len() + fresh.repeated.len();
    let all = first.real.len() + first.control.len() + fresh.real.len() + repeated;
    Held {
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

/// What about the machine explains wide intervals.
fn notes(held: &Held) -> Vec<String> {
    let mut notes = Vec::new();
    if held.cores.is_none() {
        notes.push("there is only one core for servers and clients: what the clients do disturbs both servers, and intervals are wider".to_owned());
    }
    if !held.fixed_addresses {
        notes.push("this system (a container, as a rule) does not let the servers lie at the same addresses in every session, which makes some of them faster or slower for a whole session: intervals are wider".to_owned());
    }
    if held.steal_pct > STEAL_PCT {
        notes.push(format!(
            "{:.1} % of the machine's time went to others beside it (steal)",
            held.steal_pct
        ));
    }
    if held.throttled > 0 {
        notes.push(format!(
            "the control group was held back {} times, since its share of CPU was used up",
            held.throttled
        ));
    }
    notes
}

fn broken(trouble: &Trouble) -> Broken {
    Broken {
        side: side_name(trouble.side, trouble.control),
        what: trouble.what.to_string(),
    }
}

/// In a control session both sides are the base.
pub(super) fn side_name(side: usize, control: bool) -> &'static str {
    match (side, control) {
        (1, false) => CANDIDATE,
        _ => BASE,
    }
}
