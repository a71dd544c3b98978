//! What follows a case that gave system calls other results. A sound server may lose the connection that has failed; it goes
//! on, serves others on new connections and on those that it has, and comes to rest.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::watch;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// Time over which CPU time is measured, once something hints at a spin.
const WINDOW: Duration = Duration::from_millis(300);
/// Number of such windows in a row. A server that comes to rest in one of them does not spin.
const WINDOWS: u32 = 3;
/// Minimum CPU time in each of them, as a share of what a busy loop of tcprove's own gets at the same time.
const SHARE_MIN: f64 = 0.5;

/// Examines the server after a case, if that has injected something.
pub(crate) fn examine(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    if !epoch.take_injected() {
        return None;
    }
    watch::examine(epoch)
        .or_else(|| bystander(epoch))
        .or_else(|| spins(epoch))
        .map(|symptom| with_injected(epoch, symptom))
}

/// Adds what was injected, as evidence.
pub(crate) fn with_injected(epoch: &Epoch<'_>, symptom: Symptom) -> Symptom {
    match epoch.injected() {
        Some(injected) => symptom.with("injected", injected),
        None => symptom,
    }
}

/// Whether a client was affected whose connection was made before the case.
fn bystander(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    let error = epoch.bystander()?;
    let title = "a client whose connection has not failed is not served any more";
    Some(
        Symptom::new(FindingKind::Conformance, "bystander", title)
            .with("client", error.to_string()),
    )
}

fn spins(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    if !epoch.is_restless() {
        return None;
    }
    let mut least = f64::INFINITY;
    for _ in 0..WINDOWS {
        let before = epoch.vitals().cpu;
        let own = compute(epoch.target.deadline.left(WINDOW));
        let spent = epoch.vitals().cpu.saturating_sub(before);
        least = least.min(spent.as_secs_f64() / own.as_secs_f64().max(f64::EPSILON));
        if least < SHARE_MIN || epoch.target.deadline.is_over() {
            return None;
        }
    }
    let title = "the server computes with nothing to do, as much as a busy loop";
    Some(Symptom::new(FindingKind::Spin, "busy", title).with("share", least))
}

/// Computes for this long. Returns the CPU time that this thread got.
fn compute(time: Duration) -> Duration {
    let cpu = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
        Duration::new(now.tv_sec.unsigned_abs(), nanos)
    };
    let (begun, before) = (Instant::now(), cpu());
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
    cpu().saturating_sub(before)
}
