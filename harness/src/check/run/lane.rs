//! A lane: one thread, one current-thread runtime, one server at a time.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::attempt;
use super::attempt::Attempt;
use crate::check::{Check, Cx, Given, Runs, Shortfall};
use crate::data::hash::fnv1a;
use crate::process::Server;
use crate::subject::{Interrupt, Rehearsal, Subject, maybe_late, patient, rehearse_with, runtime};

/// Salts of the token seeds of the two attempts at a check.
const FIRST: u64 = 2;
const AGAIN: u64 = 3;

/// One lane of a run.
pub(super) struct Lane<'a> {
    subject: &'a Subject,
    rehearsal: &'a Rehearsal,
    interrupt: &'a Interrupt,
    runtime: tokio::runtime::Runtime,
    shared: Option<Rc<Server>>,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        rehearsal: &'a Rehearsal,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            subject,
            rehearsal,
            interrupt,
            runtime: runtime(),
            shared: None,
        }
    }

    /// Runs a check on the server that it asks for: the lane's, or a fresh one.
    pub(super) fn attempt(&mut self, check: &'static Check) -> Attempt {
        self.on_server(check, check.runs == Runs::Shared, FIRST)
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
        if !self.subject.runs_beside_itself() && !share {
            // The only instance makes room for a fresh one.
            self.shared = None;
        }
        let kept = if share { self.shared.take() } else { None };
        let (subject, rehearsal, interrupt) = (self.subject, self.rehearsal, self.interrupt);
        let (attempt, kept) = local.block_on(&self.runtime, async move {
            let server = match kept.filter(|server| server.exit().is_none()) {
                Some(server) => server,
                None => match subject.server(patient(subject)).await {
                    Ok(server) => Rc::new(server),
                    Err(failure) => return (Attempt::from(Shortfall::from(failure)), None),
                },
            };
            let attempt = bounded(check, subject, rehearsal, &server, salt, interrupt).await;
            (attempt, share.then_some(server))
        });
        // A server on which a check failed is not clean, so the next check gets a fresh one.
        self.shared = kept.filter(|_| attempt.failure().is_none());
        attempt.lasting(begun.elapsed())
    }
}

async fn bounded(
    check: &'static Check,
    subject: &Subject,
    rehearsal: &Rehearsal,
    server: &Rc<Server>,
    salt: u64,
    interrupt: &Interrupt,
) -> Attempt {
    let given = Given {
        talk: &subject.talk,
        promise: &subject.promise,
        spawned: !server.is_attached(),
        listening: server.listening(),
        transport: &server.endpoint().transport,
        singleton: server.is_singleton(),
        process: server.pid().is_some(),
        serves_again: rehearsal.single_client.is_none(),
    };
    if let Some(unmet) = check.unmet(&given) {
        return Attempt::skipped(unmet);
    }
    let cx = Cx::new(server.clone(), subject, salt, rehearsal.pace);
    let limit = check.limit.max(rehearsal.pace.exchange * 100);
    tokio::select! {
        attempt = attempt::run(check, &cx) => attempt,
        () = tokio::time::sleep(limit) => Attempt::of(&cx, Err(over(limit))),
        () = interrupt.wait() => Attempt::of(&cx, Err(Shortfall::Inconclusive("interrupted".into()))),
    }
}

fn over(limit: Duration) -> Shortfall {
    Shortfall::Inconclusive(format!("the check did not finish within {limit:?}"))
}

/// Runs the check on the reference server.
pub(super) fn control(check: &'static Check, subject: &Subject, interrupt: &Interrupt) -> Attempt {
    match rehearse_with(subject, maybe_late(subject), interrupt) {
        Ok(rehearsal) => Lane::new(subject, &rehearsal, interrupt).fresh_attempt(check),
        Err(error) => {
            Attempt::inconclusive(format!("the reference server could not be tested: {error}"))
        }
    }
}
