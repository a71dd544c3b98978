//! Runs a battery: rehearsal, lanes, confirmation, control, waivers.
//!
//! A lane is one OS thread with a current-thread runtime and its own server. Checks that measure
//! time, CPU or memory, and confirmations, run after all lanes have finished.

mod aftermath;
mod attempt;
mod by_hand;
mod lane;
pub(crate) mod sweep;
mod verdict;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aftermath::Idle;
use attempt::Attempt;
use lane::Lane;

use super::{Check, Effort, FailureKind, Outcome, Ran, Runs, Unmet, Verdict};
use crate::event::{Event, Sink};
use crate::process::StartOptions;
use crate::subject::by_hand::BY_HAND_PORT;
use crate::subject::{
    Interrupt, Origin, Pace, Rehearsal, RehearsalError, Subject, Waiver, learn, maybe_late,
    rehearse_with,
};

/// A battery of checks on one subject.
pub(crate) struct Battery {
    /// The checks, in display order.
    pub checks: Vec<&'static Check>,
    /// The server under test.
    pub subject: Subject,
    /// The reference server for a check; `None` if it cannot be started.
    pub control: fn(&Check, &Subject) -> Option<Subject>,
    /// The waivers of the file that are in force.
    pub waivers: Vec<Waiver>,
    /// Number of concurrent lanes.
    pub lanes: usize,
    /// The battery that the file was written for.
    pub battery: u32,
    /// No check starts after this time.
    pub max_time: Option<MaxTime>,
    /// How long checks may take.
    pub effort: Effort,
    /// A command that repeats a check; `{id}` is replaced by the check's id.
    pub reproduce: String,
    /// The server's command line for a shell, with `{port}` replaced.
    pub command_by_hand: Option<String>,
    /// Ends the run early when set.
    pub interrupt: Interrupt,
}

/// The time after which no check starts, and what becomes of the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MaxTime {
    /// Somebody asked for it: what has not run has no verdict.
    Asked(Duration),
    /// Other things follow the battery: what has not run is skipped.
    Shared(Duration),
}

impl MaxTime {
    /// What becomes of a check that would begin now, after this time since the start; `None` if it may begin.
    fn too_late(self, elapsed: Duration) -> Option<Attempt> {
        match self {
            Self::Asked(most) | Self::Shared(most) if elapsed < most => None,
            Self::Asked(_) => Some(Attempt::inconclusive(
                "--max-time elapsed before the check could start",
            )),
            Self::Shared(most) => Some(Attempt::skipped(Unmet {
                reason: format!("the checks took more than {} s", most.as_secs()),
                enable: vec![MORE_TIME],
            })),
        }
    }
}

/// What would let a check run for which no time was left.
pub(crate) const MORE_TIME: &str = "more time (`tcprove check`, or `--checks` with more of it)";

impl Battery {
    /// Host and port of the server in the by-hand commands: the attached address, or the port in
    /// [`Battery::command_by_hand`].
    fn by_hand_address(&self) -> (String, String) {
        match &self.subject.origin {
            Origin::Attach { endpoint, .. } => match endpoint.address.tcp() {
                Some(addr) => (addr.ip().to_string(), addr.port().to_string()),
                None => (endpoint.to_string(), "0".to_owned()),
            },
            Origin::Spawn(launch) => (launch.host.to_string(), BY_HAND_PORT.to_string()),
        }
    }
}

/// The shortest time for which an idle connection is watched before the battery begins. A server that closes it sooner would
/// disturb many checks; how long the rest of the learning takes depends on the machine.
const IDLE_WATCHED: Duration = Duration::from_millis(500);
/// Maximum number of attempts at a check that has failed once, and the time after which none starts.
const ATTEMPTS_MAX: usize = 5;
const ATTEMPTS_TIME: Duration = Duration::from_secs(60);

impl Battery {
    /// A server that is not ready in time is an error, unless a check judges that.
    fn first_start(&self) -> StartOptions {
        if self.checks.iter().any(|check| check.id == "start-ready") {
            maybe_late(&self.subject)
        } else {
            StartOptions::default()
        }
    }

    /// Learns the server and runs all checks. Returns an outcome for each check that was started, in the order of
    /// [`Battery::checks`], and what was learned.
    ///
    /// # Errors
    /// The rehearsal fails: the server cannot be started, or does not follow its own conversation.
    pub(crate) fn run(&self, sink: Sink<'_>) -> Result<(Vec<Outcome>, Rehearsal), RehearsalError> {
        sink(Event::Rehearsing);
        let options = self.first_start();
        let mut rehearsal = rehearse_with(&self.subject, options, &self.interrupt)?;
        let subject = learn(&self.subject, &mut rehearsal, IDLE_WATCHED, &self.interrupt)?;
        sink(Event::Started {
            checks: self.checks.len(),
        });
        let begun = Instant::now();
        let (alone, beside): (Vec<_>, Vec<_>) = self
            .checks
            .iter()
            .copied()
            .partition(|check| check.runs == Runs::AloneOnMachine);
        let queue = Mutex::new(beside.into_iter().collect::<VecDeque<_>>());
        let attempts = Mutex::new(Vec::new());
        let run = Run {
            battery: self,
            rehearsal: &rehearsal,
            subject: &subject,
            sink,
            begun,
            gone: Mutex::default(),
            idle: Idle::default(),
        };
        std::thread::scope(|scope| {
            // A server may turn out to run only once at a time.
            let lanes = if subject.runs_beside_itself() {
                self.lanes
            } else {
                1
            };
            for _ in 0..lanes.max(1) {
                let (run, queue, attempts) = (&run, &queue, &attempts);
                scope.spawn(move || run.lane(queue, attempts));
            }
        });
        let attempts = attempts
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut outcomes = run.settle(attempts, &alone);
        outcomes.sort_by_key(|outcome| self.checks.iter().position(|check| check.id == outcome.id));
        Ok((outcomes, rehearsal))
    }
}

/// A battery while it runs.
struct Run<'a> {
    battery: &'a Battery,
    rehearsal: &'a Rehearsal,
    /// The server, with the order of turns that was learned.
    subject: &'a Subject,
    sink: Sink<'a>,
    begun: Instant,
    /// The check after which an attached server was gone. No later check can run.
    gone: Mutex<Option<&'static str>>,
    idle: Idle,
}

type Attempts = Mutex<Vec<(&'static Check, Attempt)>>;

impl Run<'_> {
    /// Runs one lane: takes checks from the queue until it is empty.
    fn lane(&self, queue: &Mutex<VecDeque<&'static Check>>, attempts: &Attempts) {
        let mut lane = Lane::new(
            self.subject,
            self.rehearsal,
            &self.battery.interrupt,
            self.battery.effort,
            &self.idle,
        );
        while let Some(check) = next(queue) {
            if self.battery.interrupt.is_set() {
                break;
            }
            let attempt = self.first_attempt(&mut lane, check);
            if attempt.is_final() {
                let attempts = std::slice::from_ref(&attempt);
                (self.sink)(done(&self.judged(check, attempts, None)));
            } else {
                (self.sink)(Event::Failing { id: check.id });
            }
            if let Ok(mut attempts) = attempts.lock() {
                attempts.push((check, attempt));
            }
        }
    }

    fn first_attempt(&self, lane: &mut Lane<'_>, check: &'static Check) -> Attempt {
        let max_time = self.battery.max_time;
        if let Some(late) = max_time.and_then(|most| most.too_late(self.begun.elapsed())) {
            return late;
        }
        if let Some(killer) = self.gone.lock().ok().and_then(|gone| *gone) {
            return Attempt::inconclusive(format!(
                "the server has been gone since {killer}, and tcprove cannot restart it (it did not start it)"
            ));
        }
        (self.sink)(Event::CheckStarted { id: check.id });
        let attempt = lane.attempt(check);
        if self.has_lost_server(&attempt)
            && let Ok(mut gone) = self.gone.lock()
        {
            *gone = Some(check.id);
        }
        attempt
    }

    /// Whether an attached server died. It cannot be restarted, so the failure cannot be confirmed.
    fn has_lost_server(&self, attempt: &Attempt) -> bool {
        let died = attempt
            .failure()
            .is_some_and(|failure| failure.kind == FailureKind::Died);
        died && self.battery.subject.launch().is_none()
    }

    /// Runs the checks that run alone, and confirms failures. All lanes have finished.
    fn settle(
        &self,
        attempts: Vec<(&'static Check, Attempt)>,
        alone: &[&'static Check],
    ) -> Vec<Outcome> {
        let mut lane = Lane::new(
            self.subject,
            self.rehearsal,
            &self.battery.interrupt,
            self.battery.effort,
            &self.idle,
        );
        let mut outcomes = Vec::new();
        for (check, attempt) in attempts {
            let reported = attempt.is_final();
            outcomes.push(self.settled(&mut lane, check, attempt));
            self.report_last(reported, &outcomes);
        }
        for check in alone {
            if self.battery.interrupt.is_set() {
                break;
            }
            let attempt = self.first_attempt(&mut lane, check);
            outcomes.push(self.settled(&mut lane, check, attempt));
            self.report_last(false, &outcomes);
        }
        outcomes
    }

    fn report_last(&self, reported: bool, outcomes: &[Outcome]) {
        if let Some(last) = outcomes.last()
            && !reported
        {
            (self.sink)(done(last));
        }
    }

    /// The outcome of these attempts, with the times at which they ran.
    fn judged(
        &self,
        check: &'static Check,
        attempts: &[Attempt],
        control: Option<&Attempt>,
    ) -> Outcome {
        let ran = attempts.iter().filter_map(|attempt| {
            Some(Ran {
                begin: attempt.begun?.saturating_duration_since(self.begun),
                took: attempt.duration,
            })
        });
        Outcome {
            ran: ran.collect(),
            ..verdict::of(
                check,
                attempts,
                control,
                self.battery,
                &self.rehearsal.limits,
            )
        }
    }

    fn is_gone(&self) -> bool {
        self.gone.lock().is_ok_and(|gone| gone.is_some())
    }

    /// Confirms a failure alone on a fresh server, and runs the control.
    fn settled(&self, lane: &mut Lane<'_>, check: &'static Check, first: Attempt) -> Outcome {
        let over = self.battery.interrupt.is_set() || self.is_gone();
        if first.is_final() || over {
            return self.judged(check, &[first], None);
        }
        (self.sink)(Event::Confirming { id: check.id });
        self.confirmed(lane, check, first)
    }

    /// Begins again with the time limits of a slower pace.
    fn settled_slowly(&self, check: &'static Check, pace: Pace) -> Outcome {
        let slower = Rehearsal {
            pace,
            ..self.rehearsal.clone()
        };
        let (interrupt, effort) = (&self.battery.interrupt, self.battery.effort);
        let mut lane = Lane::new(self.subject, &slower, interrupt, effort, &self.idle);
        let first = lane.fresh_attempt(check);
        if first.is_final() {
            return self.judged(check, &[first], None);
        }
        self.confirmed(&mut lane, check, first)
    }

    /// Repeats a failed check until it has failed again, or often enough not to be confirmed.
    fn confirmed(&self, lane: &mut Lane<'_>, check: &'static Check, first: Attempt) -> Outcome {
        // This comes to an end: a pace is slower only if it is so several times, and exchanges that take too long are not awaited.
        if let Some(pace) = first.slower {
            return self.settled_slowly(check, pace);
        }
        let begun = Instant::now();
        let mut attempts = vec![first];
        loop {
            let attempt = lane.fresh_attempt(check);
            if let Some(pace) = attempt.slower {
                return self.settled_slowly(check, pace);
            }
            let is_decided = attempt.failure().is_some();
            attempts.push(attempt);
            let is_over = attempts.len() >= ATTEMPTS_MAX || begun.elapsed() >= ATTEMPTS_TIME;
            // An attached server is the same one each time.
            let again = self.battery.subject.launch().is_some();
            if is_decided || is_over || !again || self.battery.interrupt.is_set() {
                break;
            }
        }
        let last = &attempts[attempts.len() - 1];
        let control = ((check.control || last.is_aftermath) && last.failure().is_some())
            .then(|| (self.battery.control)(check, &self.battery.subject))
            .flatten()
            .map(|subject| {
                (self.sink)(Event::Controlling { id: check.id });
                lane::control(
                    check,
                    &subject,
                    &self.battery.interrupt,
                    self.battery.effort,
                )
            });
        self.judged(check, &attempts, control.as_ref())
    }
}

fn done(outcome: &Outcome) -> Event {
    Event::CheckDone {
        id: outcome.id,
        verdict: outcome.word(),
        failed: outcome.outcome == Verdict::Fail,
        duration: outcome.duration,
    }
}

fn next(queue: &Mutex<VecDeque<&'static Check>>) -> Option<&'static Check> {
    queue.lock().ok()?.pop_front()
}

/// Number of checks per verdict, as shown in the summary. Waived failures are counted separately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema, serde::Serialize)]
pub(crate) struct VerdictCounts {
    /// Passed.
    pub pass: usize,
    /// Failed and not waived.
    pub fail: usize,
    /// Warned.
    pub warn: usize,
    /// Skipped.
    pub skip: usize,
    /// Without a verdict, and not waived.
    pub inconclusive: usize,
    /// Failed or inconclusive, and waived.
    pub waived: usize,
}

impl VerdictCounts {
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            let slot = match outcome.outcome {
                _ if outcome.waived.is_some() => &mut counts.waived,
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail => &mut counts.fail,
                Verdict::Warn => &mut counts.warn,
                Verdict::Skip => &mut counts.skip,
                Verdict::Inconclusive => &mut counts.inconclusive,
            };
            *slot += 1;
        }
        counts
    }

    /// Number of checks that were not skipped.
    pub(crate) fn ran(&self) -> usize {
        self.pass + self.fail + self.warn + self.waived + self.inconclusive
    }
}
