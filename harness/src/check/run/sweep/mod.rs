//! Observes which socket calls one exchange makes, and gives each of them each result that the kernel may return, one at
//! a time, as SQLite tests errors of malloc and of its files.
//!
//! The server may lose the connection that has failed. It has to go on running, to serve others, to close what it has
//! open, and to come to rest. Whatever falls short is repeated on a fresh server.

mod plausible;
mod steps;
#[cfg(feature = "cli")]
mod union;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aftermath::{Before, Idle};
use super::attempt::after;
use super::lane::options;
pub(crate) use plausible::SweepCase;
use steps::{Exchange, exchange, is_held, settled};
#[cfg(feature = "cli")]
pub(crate) use union::union;

use crate::check::kernel::trial::{Asked, arm};
use crate::check::resources::recovery::recovers;
use crate::check::{Checked, Cx, Effort, FailureKind, Shortfall, failed, skip};
use crate::data::Shard;
use crate::data::hash::fnv1a;
use crate::event::{Event, Sink};
use crate::process::injector::{Injected, Place, Rule, SeenCall};
use crate::process::{CallSet, Server, StartOptions};
use crate::subject::{Interrupt, Rehearsal, RehearsalError, Subject, rehearse_with, runtime};

/// Maximum number of cases.
const CASES_MAX: usize = 1_000;
/// Number of exchanges that are observed.
const OBSERVED: usize = 5;
/// Maximum number of others that were lost, or whose end was not seen in time: on a busy machine, not every call was made by then.
const UNFINISHED_MAX: usize = 10;
/// The socket calls of an exchange act here.
const PLACES: &[Place] = &[Place::Listener, Place::Connection];

/// A sweep of the calls of one server.
pub(crate) struct CallSweep {
    pub(crate) subject: Subject,
    /// Only this case.
    pub(crate) only: Option<SweepCase>,
    /// The part of all cases that is tried.
    pub(crate) shard: Option<Shard>,
    /// No case begins after this time.
    pub(crate) max_time: Option<Duration>,
    pub(crate) interrupt: Interrupt,
    /// A command that repeats a case; `{case}` is replaced by it.
    pub(crate) reproduce: String,
    /// The server's command line for a shell.
    pub(crate) command_by_hand: Option<String>,
}

/// The result of a sweep.
#[derive(Clone, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub(crate) struct CallSweepResult {
    /// The socket calls of one exchange, in their order.
    pub(crate) calls: Vec<Cow<'static, str>>,
    /// Number of cases of the whole sweep, of which this may be a part.
    pub(crate) cases: usize,
    /// What became of each case.
    pub(crate) rows: Vec<SweepRow>,
    /// Number of rows that failed.
    pub(crate) failed: usize,
    /// Number of cases that were not run: there was no time.
    pub(crate) left: usize,
    /// Calls on the server's sockets that were seen and whose results cannot be replaced.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) unanswered: BTreeSet<Cow<'static, str>>,
    /// The server uses io_uring: the calls that it makes that way cannot be seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_rings: bool,
    /// Why there are no rows.
    pub(crate) skipped: Option<String>,
    /// Duration without the start of the first server, in seconds.
    pub(crate) seconds: f64,
}

/// What became of one case.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct SweepRow {
    /// The call and its result, `CALL:N:RESULT`.
    pub(crate) case: SweepCase,
    /// What became of the exchange.
    pub(crate) outcome: SweepOutcome,
    /// How the server fell short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<FailureKind>,
    /// What it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actual: Option<String>,
    /// A command that repeats the case, of a row that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reproduce: Option<String>,
    /// The same with strace(1) instead of tcprove.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by_hand: Option<String>,
}

/// What became of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SweepOutcome {
    /// It was served all the same.
    Served,
    /// It was lost, and nothing else.
    Lost,
    /// The client got another reply, such as a refusal.
    Refused,
    /// The call did not happen this time.
    NotReached,
    /// It fell short on one server and not on the next.
    Flaky,
    /// The server fell short, twice.
    Fail,
}

impl SweepOutcome {
    /// As shown in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::NotReached => "not reached",
            Self::Flaky => "flaky",
            Self::Fail => "FAIL",
        }
    }
}

impl CallSweep {
    /// Runs the sweep.
    ///
    /// # Errors
    /// The rehearsal fails: the server cannot be started, or does not follow its own conversation.
    pub(crate) fn run(&self, sink: Sink<'_>) -> Result<CallSweepResult, RehearsalError> {
        let rehearsal = rehearse_with(&self.subject, StartOptions::default(), &self.interrupt)?;
        if rehearsal.single_client.is_some() {
            return Ok(CallSweepResult {
                skipped: Some(
                    "the server serves a single client: no other can be served after a result"
                        .into(),
                ),
                ..CallSweepResult::default()
            });
        }
        let begun = Instant::now();
        let mut sweeper = Sweeper {
            sweep: self,
            rehearsal: &rehearsal,
            idle: Idle::default(),
            server: None,
            unanswered: BTreeSet::new(),
        };
        let local = tokio::task::LocalSet::new();
        let result = local.block_on(&runtime(), async {
            tokio::select! {
                result = sweeper.all(begun, sink) => result,
                () = self.interrupt.wait() => Err(Shortfall::Inconclusive("interrupted".into())),
            }
        });
        let result = result.unwrap_or_else(|shortfall| CallSweepResult {
            skipped: Some(said(&shortfall)),
            ..CallSweepResult::default()
        });
        Ok(CallSweepResult {
            seconds: begun.elapsed().as_secs_f64(),
            ..result
        })
    }

    /// The case for people who only have strace. It cannot make a transfer short.
    fn by_hand(&self, case: &SweepCase) -> Option<String> {
        let Injected::Error(_) = case.result else {
            return None;
        };
        let command = self.command_by_hand.as_ref()?;
        Some(format!(
            "strace -f -e trace={call} -e inject={call}:error={result}:when={number} {command}  # counts from the start, in each thread",
            call = case.call,
            result = case.result.name(),
            number = case.occurrence,
        ))
    }
}

/// A sweep while it runs.
struct Sweeper<'a> {
    sweep: &'a CallSweep,
    rehearsal: &'a Rehearsal,
    idle: Idle,
    server: Option<Rc<Server>>,
    /// Calls of the observed exchanges whose results cannot be replaced.
    unanswered: BTreeSet<Cow<'static, str>>,
}

impl Sweeper<'_> {
    async fn all(&mut self, begun: Instant, sink: Sink<'_>) -> Checked<CallSweepResult> {
        let calls = self.observe().await?;
        let has_rings = self.has_rings();
        if calls.is_empty() {
            let reason = match (has_rings, self.unanswered.is_empty()) {
                (true, _) => "the server uses io_uring: its calls cannot be seen",
                (false, true) => {
                    "an exchange makes no socket call that could be given another result"
                }
                (false, false) => "no socket call of an exchange can be given another result",
            };
            return Ok(CallSweepResult {
                unanswered: std::mem::take(&mut self.unanswered),
                has_rings,
                skipped: Some(reason.into()),
                ..CallSweepResult::default()
            });
        }
        let cases = match &self.sweep.only {
            Some(case) => vec![case.clone()],
            None => plausible::cases(&calls),
        };
        let all = cases.len();
        let cases: Vec<_> = cases
            .into_iter()
            .enumerate()
            .filter(|(place, _)| self.sweep.shard.is_none_or(|shard| shard.takes(*place)))
            .map(|(_, case)| case)
            .collect();
        let mut result = CallSweepResult {
            calls: calls.iter().map(|call| call.name.into()).collect(),
            cases: all,
            left: cases.len().saturating_sub(CASES_MAX),
            unanswered: std::mem::take(&mut self.unanswered),
            has_rings,
            ..CallSweepResult::default()
        };
        for (done, case) in cases.iter().take(CASES_MAX).enumerate() {
            sink(Event::Step {
                done,
                all: cases.len().min(CASES_MAX),
                what: case.to_string(),
            });
            let is_late = |most| begun.elapsed() >= most;
            if self.sweep.interrupt.is_set() || self.sweep.max_time.is_some_and(is_late) {
                result.left += 1;
                continue;
            }
            let row = self.row(case).await?;
            result.failed += usize::from(row.outcome == SweepOutcome::Fail);
            result.rows.push(row);
        }
        Ok(result)
    }

    fn has_rings(&self) -> bool {
        let server = self.server.as_ref();
        server.is_some_and(|server| server.calls().has_rings)
    }

    /// A context on the current server, or on a fresh one.
    async fn cx(&mut self, salt: &str) -> Checked<Cx> {
        let subject = &self.sweep.subject;
        let kept = self.server.take().filter(|server| server.exit().is_none());
        let server = match kept {
            Some(server) => server,
            None => Rc::new(subject.server(options(subject, Some(CallSet::All))).await?),
        };
        self.server = Some(server.clone());
        let salt = fnv1a(salt.as_bytes());
        let cx = Cx::new(server, subject, salt, self.rehearsal, Effort::default());
        self.idle.learn(&cx).await;
        Ok(cx)
    }

    /// The socket calls that every exchange makes. The first exchange does not count: it may do things that are done once.
    async fn observe(&mut self) -> Checked<Vec<SeenCall>> {
        let cx = self.cx("observe").await?;
        cx.exchange().await?;
        let (mut whole, mut unfinished) = (Vec::new(), Vec::new());
        while whole.len() < OBSERVED && unfinished.len() < UNFINISHED_MAX {
            settled(&cx).await;
            let injection = arm(&cx, rule(None, 0, Injected::Nothing))?;
            let Exchange { asked, .. } = exchange(&cx, &injection).await?;
            settled(&cx).await;
            let record = injection.end();
            if let Some(trouble) = record.trouble {
                return skip(trouble);
            }
            let unanswered = record.unanswered.into_iter().map(Cow::Borrowed);
            self.unanswered.extend(unanswered);
            let is_whole = asked == Asked::Served && !is_held(&cx);
            let exchanges = if is_whole {
                &mut whole
            } else {
                &mut unfinished
            };
            exchanges.push(record.seen);
        }
        // A server that never closes its end finishes none.
        let exchanges = if whole.is_empty() { unfinished } else { whole };
        Ok(plausible::of_every(&exchanges))
    }

    /// Runs a case, and repeats one that falls short on a fresh server.
    async fn row(&mut self, case: &SweepCase) -> Checked<SweepRow> {
        let mut row = SweepRow {
            case: case.clone(),
            outcome: SweepOutcome::NotReached,
            kind: None,
            actual: None,
            reproduce: None,
            by_hand: None,
        };
        let mut fell_short = false;
        loop {
            let cx = self.cx(&case.to_string()).await?;
            match self.trial(&cx, case).await {
                Ok(outcome) if fell_short => {
                    row.outcome = match outcome {
                        SweepOutcome::NotReached => outcome,
                        _ => SweepOutcome::Flaky,
                    };
                    return Ok(row);
                }
                Ok(outcome) => {
                    row.outcome = outcome;
                    return Ok(row);
                }
                Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
                    // The next case gets a clean server.
                    self.server = None;
                    row.kind = Some(failure.kind);
                    row.actual = Some(failure.mismatch.actual);
                }
                Err(other) => return Err(other),
            }
            if fell_short {
                row.outcome = SweepOutcome::Fail;
                row.reproduce = Some(self.sweep.reproduce.replace("{case}", &case.to_string()));
                row.by_hand = self.sweep.by_hand(case);
                return Ok(row);
            }
            fell_short = true;
        }
    }

    /// One exchange in which the call has the result of the case.
    async fn trial(&self, cx: &Cx, case: &SweepCase) -> Checked<SweepOutcome> {
        let before = Before::of(cx);
        let mut outcome = SweepOutcome::NotReached;
        let checked = stimulus(cx, case, &mut outcome).await;
        after(cx, checked, true).await?;
        if let Some(before) = before {
            before.no_crash(cx)?;
            before.at_rest(cx, &self.idle).await?;
        }
        Ok(outcome)
    }
}

async fn stimulus(cx: &Cx, case: &SweepCase, outcome: &mut SweepOutcome) -> Checked {
    settled(cx).await;
    let injection = arm(cx, rule(Some(case.call), case.occurrence - 1, case.result))?;
    let Exchange {
        asked,
        is_in_header,
    } = exchange(cx, &injection).await?;
    if injection.record().count() == 0 {
        settled(cx).await;
    }
    if injection.end().count() > 0 {
        *outcome = match asked {
            Asked::Served => SweepOutcome::Served,
            // The specification of the PROXY protocol lets a server drop a connection whose header does not arrive at once
            // (section 2).
            Asked::Lost if is_in_header && case.result == Injected::Short => SweepOutcome::Lost,
            Asked::Lost if case.is_harmless() => {
                return failed(
                    FailureKind::LostReply,
                    "a call that was interrupted or short is followed by another one",
                    "the connection was lost, or the reply did not come",
                );
            }
            Asked::Lost => SweepOutcome::Lost,
            // After a failed transfer, another reply is a part of the right one, or one that is not due.
            Asked::Otherwise(shortfall) if case.is_transfer() => return Err(shortfall),
            Asked::Otherwise(_) => SweepOutcome::Refused,
        };
    }
    recovers(cx, "after that").await
}

fn rule(name: Option<&'static str>, skip: u32, result: Injected) -> Rule {
    Rule {
        name,
        skip,
        ..Rule::new(&[], PLACES, result)
    }
}

fn said(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::Skip(reason) | Shortfall::Inconclusive(reason) => reason.clone(),
        Shortfall::Failed(failure) | Shortfall::Warned(failure) => failure.mismatch.actual.clone(),
    }
}
