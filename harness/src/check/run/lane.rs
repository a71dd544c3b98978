//! A lane: one thread, one current-thread runtime, one server at a time.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::aftermath::Idle;
use super::attempt;
use super::attempt::Attempt;
use crate::check::{Check, Cx, Effort, Given, Runs, Shortfall};
use crate::data::hash::fnv1a;
use crate::process::{CallSet, Server, StartOptions};
use crate::subject::{Interrupt, Rehearsal, Subject, maybe_late, patient, rehearse_with, runtime};

/// Salts of the token seeds of the two attempts at a check.
const FIRST: u64 = 2;
const AGAIN: u64 = 3;
/// Time to examine what a check has left behind, beyond the limit of the check.
const AFTERMATH: Duration = Duration::from_secs(30);

/// One lane of a run.
pub(super) struct Lane<'a> {
    subject: &'a Subject,
    rehearsal: &'a Rehearsal,
    interrupt: &'a Interrupt,
    effort: Effort,
    idle: &'a Idle,
    runtime: tokio::runtime::Runtime,
    shared: Option<Rc<Server>>,
    /// As `shared`, with a filter of system calls.
    injected: Option<Rc<Server>>,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        rehearsal: &'a Rehearsal,
        interrupt: &'a Interrupt,
        effort: Effort,
        idle: &'a Idle,
    ) -> Self {
        Self {
            subject,
            rehearsal,
            interrupt,
            effort,
            idle,
            runtime: runtime(),
            shared: None,
            injected: None,
        }
    }

    /// Runs a check on the server that it asks for: the lane's, or a fresh one.
    pub(super) fn attempt(&mut self, check: &'static Check) -> Attempt {
        // One that closes no connection would run out of descriptors.
        let share = !self.rehearsal.keeps_connections
            && matches!(
                check.runs,
                Runs::Shared | Runs::Injected(CallSet::Interruptible)
            );
        self.on_server(check, share, FIRST)
    }

    /// Runs a check on a fresh server.
    pub(super) fn fresh_attempt(&mut self, check: &'static Check) -> Attempt {
        self.on_server(check, false, AGAIN)
    }

    fn on_server(&mut self, check: &'static Check, share: bool, attempt: u64) -> Attempt {
        let begun = Instant::now();
        let local = tokio::task::LocalSet::new();
        // Depends only on the seed and the check, so a run is repeatable whichever lane runs the
        // check.
        let salt = fnv1a(check.id.as_bytes()) ^ attempt;
        let inject = match check.runs {
            Runs::Injected(set) => Some(set),
            _ => None,
        };
        if !self.subject.runs_beside_itself() {
            // The only instance makes room for a fresh one.
            if inject.is_some() || !share {
                self.shared = None;
            }
            if inject.is_none() || !share {
                self.injected = None;
            }
        }
        let place = if inject.is_some() {
            &mut self.injected
        } else {
            &mut self.shared
        };
        let kept = if share { place.take() } else { None };
        let (subject, rehearsal, interrupt) = (self.subject, self.rehearsal, self.interrupt);
        let (effort, idle) = (self.effort, self.idle);
        let (attempt, kept) = local.block_on(&self.runtime, async move {
            let server = match kept.filter(|server| server.exit().is_none()) {
                Some(server) => server,
                None => match subject.server(options(subject, inject)).await {
                    Ok(server) => Rc::new(server),
                    Err(failure) => return (Attempt::from(Shortfall::from(failure)), None),
                },
            };
            let cx = Cx::new(server.clone(), subject, salt, rehearsal, effort);
            let attempt = bounded(check, subject, rehearsal, &cx, interrupt, idle).await;
            (attempt, share.then_some(server))
        });
        if share {
            // A server on which a check failed is not clean, so the next check gets a fresh one.
            *place = kept.filter(|_| attempt.failure().is_none());
        }
        attempt.since(begun)
    }
}

/// The options of a server on which a check runs, with a filter of these system calls or without.
pub(super) fn options(subject: &Subject, inject: Option<CallSet>) -> StartOptions {
    StartOptions {
        inject,
        ..patient(subject)
    }
}

async fn bounded(
    check: &'static Check,
    subject: &Subject,
    rehearsal: &Rehearsal,
    cx: &Cx,
    interrupt: &Interrupt,
    idle: &Idle,
) -> Attempt {
    let server = cx.server();
    let given = Given {
        talk: &subject.talk,
        promise: &subject.promise,
        spawned: !server.is_attached(),
        reload: subject
            .launch()
            .is_some_and(|launch| launch.reload.is_some()),
        listening: server.listening(),
        transport: &server.endpoint().transport,
        singleton: server.is_singleton(),
        process: server.pid().is_some(),
        serves_again: rehearsal.single_client.is_none(),
    };
    if let Some(unmet) = check.unmet(&given) {
        return Attempt::skipped(unmet);
    }
    let limit = check.limit.max(rehearsal.pace.exchange * 100) + AFTERMATH;
    tokio::select! {
        attempt = attempt::run(check, cx, idle) => attempt,
        () = tokio::time::sleep(limit) => Attempt::of(cx, Err(over(limit))),
        () = interrupt.wait() => Attempt::of(cx, Err(Shortfall::Inconclusive("interrupted".into()))),
    }
}

fn over(limit: Duration) -> Shortfall {
    Shortfall::Inconclusive(format!("the check did not finish within {limit:?}"))
}

/// Runs the check on the reference server.
pub(super) fn control(
    check: &'static Check,
    subject: &Subject,
    interrupt: &Interrupt,
    effort: Effort,
) -> Attempt {
    match rehearse_with(subject, maybe_late(subject), interrupt) {
        Ok(rehearsal) => {
            let idle = Idle::default();
            Lane::new(subject, &rehearsal, interrupt, effort, &idle).fresh_attempt(check)
        }
        Err(error) => {
            Attempt::inconclusive(format!("the reference server could not be tested: {error}"))
        }
    }
}
