//! Turns attempts into an outcome: confirmation, control, severity, waivers.

use std::time::Duration;

use super::Battery;
use super::attempt::Attempt;
use super::by_hand;
use crate::check::cause::{BEYOND_CLIENTS, PLACES_LOST, of_check};
use crate::check::next::next;
use crate::check::{
    Check, Failure, FailureKind, Need, Outcome, Promised, Seen, Shortfall, Verdict, Weight,
};
use crate::data::Actions;
use crate::subject::{Limits, Waiver};

/// The outcome of `check` after its attempts: one, or if that failed, further ones up to the next failure.
pub(super) fn of(
    check: &'static Check,
    attempts: &[Attempt],
    control: Option<&Attempt>,
    battery: &Battery,
    limits: &Limits,
) -> Outcome {
    let last = &attempts[attempts.len() - 1];
    let (verdict, failure, reason) = judged(check, attempts, control, battery);
    let shown = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.failure().is_some())
        .unwrap_or(last);
    let mut outcome = Outcome {
        id: check.id,
        group: check.group,
        outcome: verdict,
        kind: failure.map(|failure| failure.kind),
        requirement: check.requirement,
        expected: failure.map(|failure| failure.mismatch.expected.clone()),
        actual: failure.map(|failure| explained(&failure.mismatch.actual, limits)),
        reason,
        enable: last.enable.clone(),
        evidence: shown.evidence.clone(),
        transcript: failure.map_or_else(Actions::default, |_| shown.transcript.clone()),
        stimulus_proof: shown.proof.clone(),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        control: control.map(control_text),
        waived: None,
        duration: attempts
            .iter()
            .map(|attempt| attempt.duration)
            .sum::<Duration>(),
        ran: Vec::new(),
        reproduce: battery.reproduce.replace("{id}", check.id),
        by_hand: by_hand_of(check, failure, shown, battery, limits),
        next: None,
        cause: None,
    };
    outcome.next = next(&outcome);
    outcome.waived = battery
        .waivers
        .iter()
        .find(|waiver| covers(waiver, &outcome))
        .map(|waiver| waiver.reason.clone());
    outcome
}

/// The stimulus as a command; if a client beside it was refused because the server has lost places, what loses them.
fn by_hand_of(
    check: &Check,
    failure: Option<&Failure>,
    shown: &Attempt,
    battery: &Battery,
    limits: &Limits,
) -> String {
    let refused = failure.and_then(|failure| limits.refused_as_too_many(&failure.mismatch.actual));
    match refused.filter(|_| shows_lost_places(check)) {
        Some(places) => by_hand::lost_places(battery, places),
        None => by_hand::command(check, battery, shown.about.as_deref()),
    }
}

/// Whether the check may fall short because places are lost, without being about places itself.
fn shows_lost_places(check: &Check) -> bool {
    let is_about_places = check.needs.contains(&Need::MaxConnections);
    !is_about_places && of_check(check.id).contains(&PLACES_LOST)
}

/// What happened, and whether it is what happens beyond the limit of clients, within which each check stays.
fn explained(actual: &str, limits: &Limits) -> String {
    match limits.refused_as_too_many(actual) {
        Some(clients) => format!("{actual}, {BEYOND_CLIENTS}{clients} clients"),
        None => actual.to_owned(),
    }
}

/// Whether the waiver covers this outcome. Warnings need no waiver, and a skip is not a failure.
fn covers(waiver: &Waiver, outcome: &Outcome) -> bool {
    let fell_short = matches!(outcome.outcome, Verdict::Fail | Verdict::Inconclusive);
    fell_short && waiver.finding.is_none() && glob_match::glob_match(&waiver.check, outcome.id)
}

type Judged<'a> = (Verdict, Option<&'a Failure>, Option<String>);

fn judged<'a>(
    check: &Check,
    attempts: &'a [Attempt],
    control: Option<&Attempt>,
    battery: &Battery,
) -> Judged<'a> {
    let last = &attempts[attempts.len() - 1];
    let failure = match &last.checked {
        Ok(()) | Err(Shortfall::Skip(_) | Shortfall::Inconclusive(_)) if attempts.len() > 1 => {
            return unconfirmed(check, attempts, battery);
        }
        Ok(()) => return (Verdict::Pass, None, None),
        Err(Shortfall::Skip(reason)) => return (Verdict::Skip, None, Some(reason.clone())),
        Err(Shortfall::Inconclusive(reason)) => {
            return (
                Verdict::Inconclusive,
                attempts[0].failure(),
                Some(reason.clone()),
            );
        }
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => failure,
    };
    if attempts.len() == 1 {
        let attached = battery.subject.launch().is_none();
        let (verdict, reason) = if attached && failure.kind == FailureKind::Died {
            let reason = "not confirmed: tcprove cannot restart a server that it did not start";
            (weighed(check, last, battery), reason)
        } else if battery.interrupt.is_set() {
            let reason = "interrupted before the failure could be confirmed";
            (Verdict::Inconclusive, reason)
        } else {
            let reason = "the server was gone before the failure could be confirmed";
            (Verdict::Inconclusive, reason)
        };
        return (verdict, Some(failure), Some(reason.into()));
    }
    if let Some(control) = control
        && control.failure().is_some()
    {
        let reason = "machine: the reference server fails this check too on this machine";
        return (Verdict::Inconclusive, Some(failure), Some(reason.into()));
    }
    let rate = (attempts.len() > 2).then(|| {
        let count = attempts.len();
        format!("intermittent: it failed in 2 of {count} attempts")
    });
    (weighed(check, last, battery), Some(failure), rate)
}

/// A failure that did not occur again. The death of the server is a fact. What exceeded a limit of time or of resources was the
/// machine's doing if it did not do so again alone, and a pass needs a pass. Anything else is worth a warning: the server may
/// have a race. Of an attached server little can be said, since each attempt finds what the others have left behind.
fn unconfirmed<'a>(check: &Check, attempts: &'a [Attempt], battery: &Battery) -> Judged<'a> {
    let first = &attempts[0];
    let Some(failure) = first.failure() else {
        return (Verdict::Inconclusive, None, None);
    };
    let seen = &failure.mismatch.actual;
    let again = attempts.len() - 1;
    let passed = attempts.iter().any(|attempt| attempt.checked.is_ok());
    let reason =
        |attempts: &str| format!("intermittent: it failed once, {attempts}; observed: {seen}");
    let is_launched = battery.subject.launch().is_some();
    let died = is_death(failure) || failure.kind == FailureKind::WorkerDied;
    if !is_launched || !(passed || died) {
        let count = attempts.len();
        let reason = reason(&format!("not when repeated (attempts: {count})"));
        let verdict = match weighed(check, first, battery) {
            Verdict::Warn => Verdict::Warn,
            _ => Verdict::Inconclusive,
        };
        return (verdict, Some(failure), Some(reason));
    }
    let reason = reason(&format!(
        "and not in {again} more attempts alone on fresh servers"
    ));
    if died {
        return (weighed(check, first, battery), Some(failure), Some(reason));
    }
    if check.control || depends_on_time(failure) {
        return (Verdict::Pass, None, Some(reason));
    }
    (Verdict::Warn, Some(failure), Some(reason))
}

/// Whether the failure consists in that something took too long.
fn depends_on_time(failure: &Failure) -> bool {
    use FailureKind::{Blocked, Complexity, IgnoredStop, NotReady, Slow, Spin};
    failure.seen == Seen::AsDelay
        || matches!(
            failure.kind,
            Blocked | Complexity | IgnoredStop | NotReady | Slow | Spin
        )
}

/// Whether the server died, which no check asks for.
fn is_death(failure: &Failure) -> bool {
    failure.kind == FailureKind::Died
}

fn weighed(check: &Check, attempt: &Attempt, battery: &Battery) -> Verdict {
    let warns = matches!(attempt.checked, Err(Shortfall::Warned(_)))
        || match check.weight {
            Weight::FailsAtOnce => attempt.is_aftermath && !attempt.failure().is_some_and(is_death),
            // What the check asks for may be optional, but not that the server comes to rest.
            _ if attempt.is_aftermath => false,
            Weight::Fails => false,
            Weight::Warns => !attempt.failure().is_some_and(is_death),
            Weight::WarnsUnless(Promised::DrainsOnStop) => {
                battery.subject.promise.drains_on_stop != Some(true)
            }
        };
    if warns || check.battery > battery.battery {
        Verdict::Warn
    } else {
        Verdict::Fail
    }
}

fn control_text(control: &Attempt) -> String {
    match &control.checked {
        Ok(()) => "the reference server passes this check".into(),
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
            format!(
                "the reference server fails this check too: {}",
                failure.mismatch.actual
            )
        }
        Err(Shortfall::Skip(reason) | Shortfall::Inconclusive(reason)) => {
            format!("the reference server did not take part: {reason}")
        }
    }
}
