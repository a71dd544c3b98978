//! A recorded session as a regression test: are the replies still those of the recording?

use super::Look;
use super::replies::{Pattern, both_shown};
use crate::fuzz::case::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::target::FuzzTarget;
use tokio::runtime::Runtime;

/// Maximum bytes shown of a reply.
const SHOWN: usize = 160;

/// Holds the recorded session on two fresh servers. What differs between their replies does not count.
pub(crate) fn look(
    target: &FuzzTarget,
    runtime: &Runtime,
    case: &Case,
    recorded: &[u8],
    complete: bool,
) -> Look {
    let mut replies = Vec::new();
    let mut now = None;
    for _ in 0..2 {
        let mut epoch = match Epoch::start(target, runtime) {
            Ok(epoch) => epoch,
            Err(error) => return Look::Impossible(error.to_string()),
        };
        let observed = match epoch.run(case) {
            Ok(run) => run.observed,
            Err(error) => return Look::Impossible(error.to_string()),
        };
        let pattern = Pattern::of(&observed);
        let bytes = observed.connections.into_iter().next();
        replies.push(bytes.map(|received| received.bytes).unwrap_or_default());
        now = match now {
            None => Some(pattern),
            Some(first) => Pattern::and(first, &pattern),
        };
        if now.is_none() {
            return Look::Impossible("its replies have another form in each run".into());
        }
    }
    // The recording may have ended before the last reply.
    let then = Pattern::once(&[(recorded, !complete)]);
    match now {
        Some(now) if now.differs(&then) => Look::Shown(symptom(recorded, &replies[0])),
        _ => Look::Nothing,
    }
}

fn symptom(recorded: &[u8], now: &[u8]) -> Symptom {
    let (then, now) = both_shown(recorded, now, SHOWN);
    let title = format!("the recorded reply is {then}, now it is {now}");
    Symptom::new(FindingKind::Difference, "recorded reply", title)
        .with("recorded", then)
        .with("now", now)
}
