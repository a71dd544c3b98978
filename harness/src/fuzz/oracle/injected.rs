//! What follows a case that gave system calls other results. A sound server may lose the connection that has failed; it goes
//! on, serves others on new connections and on those that it has, and comes to rest.

use std::time::{Duration, Instant};

use super::watch;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// Time over which CPU time is measured, once something hints at a spin.
const WINDOW: Duration = Duration::from_millis(300);
/// Number of such windows in a row. A server that comes to rest in one of them does not spin.
const WINDOWS: u32 = 3;
/// Minimum share of a CPU in each of them. A pure spin gets a fifth of a core of a busy machine.
const SHARE_MIN: f64 = 0.2;

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
        let (begun, before) = (Instant::now(), epoch.vitals().cpu);
        let window = epoch.target.deadline.left(WINDOW);
        std::thread::sleep(window);
        let spent = epoch.vitals().cpu.saturating_sub(before);
        least = least.min(spent.as_secs_f64() / begun.elapsed().as_secs_f64());
        if least < SHARE_MIN || window < WINDOW {
            return None;
        }
    }
    let percent = (least * 100.0).round();
    let title = format!("the server computes with nothing to do: {percent} % of a CPU");
    Some(Symptom::new(FindingKind::Spin, "busy", title).with("share", least))
}
