//! Starvation: while a case is under way, others are served far too slowly.
//!
//! The median of twenty healthy clients during the case against those before it and those after it: more
//! than ten times as slow, and more than 50 ms. Not judged where clients wait for each other by nature.

use std::time::Duration;

use super::{Rigour, Symptom};
use crate::fuzz::life::Life;
use crate::fuzz::{Case, Kind};

/// What counts as slow, however fast the server is otherwise.
const SLOW: Duration = Duration::from_millis(50);
/// So many times the healthy median.
const FACTOR: u32 = 10;

/// Whether one canary beside a case hints at it.
pub fn is_hint(life: &Life<'_>, took: Duration) -> bool {
    !life.ground.sequential && took > SLOW && took > life.ground.pace.exchange * FACTOR
}

/// Twenty healthy clients before, during and after.
pub fn test(life: &mut Life<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
    if life.ground.sequential {
        return None;
    }
    let clients = match rigour {
        Rigour::Full => 20,
        Rigour::Quick => 5,
    };
    let before = median(life, clients)?;
    let during = life.median_beside(case, clients)?;
    let after = median(life, clients)?;
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
        Symptom::new(Kind::Starvation, "others wait", title)
            .with("before_ms", ms(before))
            .with("during_ms", ms(during))
            .with("after_ms", ms(after)),
    )
}

fn median(life: &mut Life<'_>, clients: usize) -> Option<Duration> {
    let limit = life.ground.silence;
    let mut times = Vec::with_capacity(clients);
    for _ in 0..clients {
        times.push(life.canary(limit).ok()?);
    }
    times.sort_unstable();
    Some(times[clients / 2])
}
