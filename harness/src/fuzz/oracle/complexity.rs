//! Complexity: the work of the server grows much faster than its input.
//!
//! Measures CPU time, never wall time. One part of the case grows while everything else stays: its sizes are an eighth, a
//! quarter, a half and the whole, and the CPU time of the case without it is subtracted from each. What remains must grow
//! with the size to the power of 1.5 or more over these three doublings together, to the power of 1.25 or more over each
//! of them (a cache that becomes too small makes a single doubling look steep), and take at least 20 ms at half the size.
//! Replies are read.

use std::time::{Duration, Instant};

use super::claim::Rigour;
use super::hang;
use super::scale::Scale;
use crate::fuzz::case::{BYTES_MAX, Case, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::wire::{ConnectionEnd, Wire};

/// Minimum growth exponent of a finding: 1 is linear, 2 is quadratic.
const EXPONENT: f64 = 1.5;
/// Minimum exponent of each doubling.
const EACH: f64 = 1.25;
/// Minimum CPU time at half the size.
const COSTLY: Duration = Duration::from_millis(20);
/// CPU time at which a case is large enough to measure and need not grow further.
const ENOUGH: Duration = Duration::from_millis(400);
/// Factor on [`COSTLY`] for a quick look, so that what passes it will also be confirmed.
const MARGIN: f64 = 1.25;
/// Added to [`EXPONENT`] for a quick look, for the same reason.
const EXPONENT_MARGIN: f64 = 0.05;
/// A doubling that multiplies CPU time by less than this is close to linear.
const STEEP: f64 = 2.3;
/// Doublings close to linear after which a case is given up. Below them, fixed costs hide the growth.
const FLAT_MAX: u32 = 2;
/// Minimum CPU time at the smallest size: less cannot be told apart from the cost of a connection.
const MEASURABLE: Duration = Duration::from_millis(1);
/// Maximum time the server may keep computing after it has closed the connection. Growth is measured below it: what takes
/// longer than twice the size of something that took [`ENOUGH`] is no matter of measuring.
const COMPUTING: Duration = Duration::from_secs(4);
/// Maximum wait for a reply, and for a server that does not close after the client's FIN.
const PATIENT: Duration = Duration::from_secs(4);
/// Maximum time to let one case grow and to measure it.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(12);
const IMPATIENT: Duration = Duration::from_millis(200);

/// Whether the case has a part that is long enough to be scaled.
pub(crate) fn is_scalable(epoch: &Epoch<'_>, case: &Case) -> bool {
    Scale::of(case, &epoch.target.talk().request).is_some()
}

/// The largest case to measure: the longest message that the server promises to take, or 8 MiB.
pub(crate) fn bytes_max(epoch: &Epoch<'_>) -> usize {
    let promised = epoch.target.subject.promise.longest_message();
    promised.unwrap_or(BYTES_MAX).min(BYTES_MAX)
}

/// What becomes of a case that grows.
#[derive(Debug)]
pub(crate) enum Growth {
    /// It is easy to measure, far above the noise.
    Measurable(Case),
    /// The server does not stop computing any more.
    Endless(Case),
}

/// Grows the case and measures it. The symptom is that of a server that hangs if there was no end to measure.
pub(crate) fn grows(epoch: &mut Epoch<'_>, case: &Case) -> Option<(Symptom, Case)> {
    match grown(epoch, case)? {
        Growth::Measurable(grown) => {
            let symptom = test(epoch, &grown, Rigour::Quick)?;
            Some((symptom, grown))
        }
        Growth::Endless(grown) => Some((hang::suspected(), grown)),
    }
}

/// The case, grown until it is easy to measure, or until there is no end. `None` if its cost grows like its size.
pub(crate) fn grown(epoch: &mut Epoch<'_>, case: &Case) -> Option<Growth> {
    let frame = epoch.target.talk().request.clone();
    let scale = Scale::of(case, &frame)?;
    let most = bytes_max(epoch)
        .max(case.bytes())
        .saturating_sub(scale.rest());
    let mut meter = Meter::of(epoch, &scale)?;
    let endless = |meter: &Meter<'_, '_>, bytes| {
        let is_endless = meter.endless;
        is_endless.then(|| Growth::Endless(scale.sized(bytes).0))
    };
    // A case that was costly may be larger than necessary: the growth begins below it.
    let mut bytes = (scale.bytes / 4).max(1);
    let Some(mut cost) = meter.cost(&scale, bytes, 1) else {
        return endless(&meter, bytes);
    };
    let mut flat = 0;
    while cost < ENOUGH && bytes * 2 <= most {
        let Some(twice) = meter.cost(&scale, bytes * 2, 1) else {
            return endless(&meter, bytes * 2);
        };
        // The server refuses what is that long.
        if twice < cost && cost >= COSTLY {
            break;
        }
        if cost >= MEASURABLE * 4 {
            flat = if twice >= cost.mul_f64(STEEP) {
                0
            } else {
                flat + 1
            };
        }
        if flat >= FLAT_MAX {
            return None;
        }
        (bytes, cost) = (bytes * 2, twice);
    }
    (cost >= COSTLY).then(|| Growth::Measurable(scale.sized(bytes).0))
}

/// Measures the case at four sizes.
pub(crate) fn test(epoch: &mut Epoch<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
    let frame = epoch.target.talk().request.clone();
    let scale = Scale::of(case, &frame)?;
    let mut meter = Meter::of(epoch, &scale)?;
    let (repetitions, costly, least) = match rigour {
        Rigour::Full => (3, COSTLY, EXPONENT),
        Rigour::Quick => (1, COSTLY.mul_f64(MARGIN), EXPONENT + EXPONENT_MARGIN),
    };
    let mut points = Vec::new();
    // The largest two first: they dismiss most cases.
    for part in [1, 2, 4, 8] {
        let cost = meter.cost(&scale, scale.bytes / part, repetitions)?;
        points.push((scale.sized(scale.bytes / part).1, cost));
        if part == 2 && cost < costly || points.len() > 1 && exponents(&points)[0] < EACH {
            return None;
        }
    }
    points.reverse();
    if points[0].1 < MEASURABLE || overall(&points) < least {
        return None;
    }
    Some(symptom(&scale, &meter, &points))
}

/// The growth exponents between neighbours, of points in descending or ascending order; the newest first.
fn exponents(points: &[(usize, Duration)]) -> Vec<f64> {
    let pairs = points.windows(2).rev();
    pairs
        .map(|pair| {
            let work = pair[1].1.as_secs_f64().max(1e-6) / pair[0].1.as_secs_f64().max(1e-6);
            let size = pair[1].0.max(1) as f64 / pair[0].0.max(1) as f64;
            match size.ln() {
                0.0 => 0.0,
                ln => work.ln() / ln,
            }
        })
        .collect()
}

/// The exponent over all sizes, of points in ascending order.
fn overall(points: &[(usize, Duration)]) -> f64 {
    let ends = [points.first(), points.last()];
    let ends: Vec<(usize, Duration)> = ends.into_iter().flatten().copied().collect();
    exponents(&ends).first().copied().unwrap_or(0.0)
}

fn symptom(scale: &Scale<'_>, meter: &Meter<'_, '_>, points: &[(usize, Duration)]) -> Symptom {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let exponent = overall(points);
    let top = points.len() - 1;
    let title = format!(
        "{} bytes more cost {} of CPU time, half as many {}: the work grows with the size to the power of {:.1}",
        points[top].0,
        ms(points[top].1),
        ms(points[top - 1].1),
        exponent
    );
    let measured: Vec<String> = points
        .iter()
        .map(|(bytes, cost)| format!("{bytes} bytes: {}", ms(*cost)))
        .collect();
    Symptom::new(FindingKind::Complexity, "cpu", title)
        .with("cpu", measured)
        .with(
            "cpu_of_the_rest",
            format!("{} bytes: {}", scale.rest(), ms(meter.base)),
        )
        .with("exponent", exponent)
}

/// Measures the CPU time that the growing part of a case costs.
struct Meter<'e, 't> {
    epoch: &'e mut Epoch<'t>,
    wire: Wire,
    /// The cost of the case without the growing part.
    base: Duration,
    /// The server did not stop computing after the last case.
    endless: bool,
}

impl<'e, 't> Meter<'e, 't> {
    fn of(epoch: &'e mut Epoch<'t>, scale: &Scale<'_>) -> Option<Self> {
        let mut meter = Self {
            wire: wire(epoch, IMPATIENT),
            epoch,
            base: Duration::ZERO,
            endless: false,
        };
        let (without, _) = scale.sized(1);
        let (mut base, mut closes) = (Duration::MAX, true);
        for _ in 0..3 {
            let (cost, closed) = meter.run(&without)?;
            (base, closes) = (base.min(cost), closes && closed);
        }
        // A server that closes after the client's FIN may take its time to reply.
        if closes {
            meter.wire = wire(meter.epoch, PATIENT);
        }
        meter.base = base;
        Some(meter)
    }

    /// The least CPU time of several runs that the growing part costs at this size.
    fn cost(&mut self, scale: &Scale<'_>, bytes: usize, repetitions: u32) -> Option<Duration> {
        let (mut case, _) = scale.sized(bytes);
        // Replies are read until the server closes; the end of one that is longer than what is kept would not be seen.
        while case.steps.last() == Some(&Step::Receive) {
            case.steps.pop();
        }
        let mut least = Duration::MAX;
        for _ in 0..repetitions {
            least = least.min(self.run(&case)?.0);
        }
        Some(least.saturating_sub(self.base))
    }

    /// The CPU time of one run, and whether the server has closed every connection.
    fn run(&mut self, case: &Case) -> Option<(Duration, bool)> {
        let before = self.epoch.vitals().cpu;
        let observed = self.wire.run(case).ok()?;
        self.epoch.refresh();
        if self.epoch.has_ended() || self.epoch.target.deadline.is_over() {
            return None;
        }
        if !wait_until_idle(self.epoch) {
            self.endless = !self.epoch.target.deadline.is_over();
            return None;
        }
        let ends = observed.connections.iter();
        let closed = ends
            .map(|received| received.end)
            .all(|end| end != ConnectionEnd::StillOpen);
        Some((self.epoch.vitals().cpu.saturating_sub(before), closed))
    }
}

/// A runner that waits long enough for every byte to be taken, and for this time for replies.
fn wire(epoch: &Epoch<'_>, wait: Duration) -> Wire {
    let mut limits = epoch.target.limits;
    limits.wait = wait.max(limits.wait);
    limits.send = PATIENT;
    limits.case = PATIENT * 3;
    epoch.other_wire(limits)
}

/// Waits until the server is idle: it may keep computing after it has closed the connection. Returns false if it does not stop.
fn wait_until_idle(epoch: &Epoch<'_>) -> bool {
    let mut idle = 0;
    let deadline = Instant::now() + epoch.target.deadline.left(COMPUTING);
    while idle < 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
        idle = if epoch.server().is_computing() {
            0
        } else {
            idle + 1
        };
    }
    idle >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_is_of_what_grew() {
        let ms = Duration::from_millis;
        let quadratic = [(1000, ms(2)), (2000, ms(8)), (4000, ms(32))];
        for exponent in exponents(&quadratic) {
            assert!((exponent - 2.0).abs() < 1e-9);
        }
        let linear = [(1000, ms(2)), (2000, ms(4))];
        assert!((exponents(&linear)[0] - 1.0).abs() < 1e-9);
        // Twice the same size says nothing.
        assert_eq!(exponents(&[(1000, ms(2)), (1000, ms(4))]), [0.0]);
        let down = [(2000, ms(8)), (1000, ms(2))];
        assert!((exponents(&down)[0] - 2.0).abs() < 1e-9);
    }
}
