//! Starvation: while a case is under way, others are served far too slowly.
//!
//! The median of twenty healthy clients during the case against those before it and those after it: more
//! than ten times as slow, and more than 50 ms. Not judged where clients wait for each other by nature.

use std::time::Duration;

use super::claim::Rigour;
use crate::fuzz::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// What counts as slow, however fast the server is otherwise.
const SLOW: Duration = Duration::from_millis(50);
/// So many times the healthy median.
const FACTOR: u32 = 10;

/// Whether one canary beside a case hints at it.
pub fn is_hint(epoch: &Epoch<'_>, took: Duration) -> bool {
    !epoch.target.sequential && took > SLOW && took > epoch.target.pace.exchange * FACTOR
}

/// Twenty healthy clients before, during and after.
pub fn test(epoch: &mut Epoch<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
    if epoch.target.sequential {
        return None;
    }
    let clients = match rigour {
        Rigour::Full => 20,
        Rigour::Quick => 5,
    };
    let before = median(epoch, clients)?;
    let during = epoch.median_beside(case, clients)?;
    let after = median(epoch, clients)?;
    let healthy = before.max(after);
    if during <= SLOW || during <= healthy * FACTOR {
        return None;
    }
    let ms = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
    let title = format!(
        "while it is under way others wait {} ms instead of {} ms",
        ms(during),
        ms(healthy)
    );
    Some(
        Symptom::new(FindingKind::Starvation, "others wait", title)
            .with("before_ms", ms(before))
            .with("during_ms", ms(during))
            .with("after_ms", ms(after)),
    )
}

fn median(epoch: &mut Epoch<'_>, clients: usize) -> Option<Duration> {
    let limit = epoch.target.silence;
    let mut times = Vec::with_capacity(clients);
    for _ in 0..clients {
        times.push(epoch.canary(limit).ok()?);
    }
    times.sort_unstable();
    Some(times[clients / 2])
}
