//! Starvation: while a case is running, other clients are served far too slowly.
//!
//! Compares the median duration of twenty canaries during the case with those before and after it: it must exceed
//! them tenfold, and 50 ms. Servers that serve one connection at a time are not judged.

use std::time::Duration;

use super::claim::Rigour;
use crate::fuzz::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// Minimum median of a slow service, however fast the server is otherwise.
const SLOW: Duration = Duration::from_millis(50);
/// Minimum factor over the healthy median.
const FACTOR: u32 = 10;

/// Whether the duration of a canary beside a case hints at starvation.
pub(crate) fn is_hint(epoch: &Epoch<'_>, took: Duration) -> bool {
    !epoch.target.sequential && took > SLOW && took > epoch.target.pace.exchange * FACTOR
}

/// Holds canaries before, during and after the case and compares their medians.
pub(crate) fn test(epoch: &mut Epoch<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
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
        "while it is running, other clients wait {} ms instead of {} ms",
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
