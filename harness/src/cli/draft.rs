//! What is known about a run while it goes on: everything of its report but the result.

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::environment;
use super::output::{OutputArgs, note};
use super::page::PageArgs;
use super::target::Resolved;
use crate::report::{Body, Header, Report, RunError, RunPlan, Servers};
use crate::subject::ServerPlan;
use crate::text::escape_text;

/// A report under way.
pub(super) struct Draft {
    header: Header,
    begun: Instant,
}

impl Draft {
    /// A run of `command` begins; without a seed the clock gives one.
    pub(crate) fn new(command: &'static str, seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(clock_seed);
        let header = Header {
            command,
            run_id: run_id(seed),
            seed,
            plan: None,
            plan_hash: None,
            environment: environment::read(),
            target: None,
            interrupted: false,
            duration_s: 0.0,
        };
        Self {
            header,
            begun: Instant::now(),
        }
    }

    /// The seed of everything random.
    pub(crate) fn seed(&self) -> u64 {
        self.header.seed
    }

    /// When the run began.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Names the target.
    pub(crate) fn target(&mut self, resolved: &Resolved) {
        self.header.target = Some(resolved.report());
    }

    /// Says on stderr what is about to run, and with which seed.
    pub(crate) fn announce(&self, resolved: &Resolved) {
        note(&format!(
            "tcprove {}: {}, seed {}",
            self.header.command,
            escape_text(&resolved.name, 80),
            self.header.seed
        ));
    }

    /// Takes the plan of a run on one server.
    pub(crate) fn plan<P: Serialize>(
        &mut self,
        resolved: &Resolved,
        feature: P,
        output: &OutputArgs,
    ) {
        let plan = run_plan(resolved, feature, output);
        self.planned(&plan, plan.hash());
    }

    /// Takes a plan and its hash.
    pub(crate) fn planned(&mut self, plan: &impl Serialize, hash: String) {
        // A plan is plain data: it cannot fail to be written.
        self.header.plan = serde_json::to_value(plan).ok();
        self.header.plan_hash = Some(hash);
    }

    /// Records that somebody asked for the end, if so.
    pub(crate) fn interrupted(&mut self, interrupted: bool) {
        self.header.interrupted |= interrupted;
    }

    /// Whether somebody asked for the end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.header.interrupted
    }

    /// The report of the run, now that it is over.
    pub(crate) fn finish(mut self, result: Result<Body, RunError>) -> Report {
        self.header.duration_s = self.begun.elapsed().as_secs_f64();
        Report::new(self.header, result)
    }
}

/// Runs a command from its first line to its exit code: `perform` does the work; the report goes
/// where `output` says.
pub(super) fn run(
    draft: Draft,
    output: &OutputArgs,
    page: &PageArgs,
    perform: impl FnOnce(&mut Draft) -> Result<Body, RunError>,
) -> ExitCode {
    run_then(draft, output, page, perform, |_| {})
}

/// As [`run`], with something else to do with the report before it is written.
pub(super) fn run_then(
    mut draft: Draft,
    output: &OutputArgs,
    page: &PageArgs,
    perform: impl FnOnce(&mut Draft) -> Result<Body, RunError>,
    then: impl FnOnce(&Report),
) -> ExitCode {
    output.apply_color();
    let result = output.prepare(page).and_then(|()| perform(&mut draft));
    let report = draft.finish(result);
    then(&report);
    output.finish(page, &report)
}

/// The plan of a run on one server.
pub(super) fn run_plan<P>(resolved: &Resolved, feature: P, output: &OutputArgs) -> RunPlan<P> {
    RunPlan {
        servers: Servers::One {
            server: server_plan(resolved),
        },
        talk: resolved.subject.talk.name.clone(),
        feature,
        on_inconclusive: output.on_inconclusive.into(),
    }
}

/// The server as the plan describes it.
pub(super) fn server_plan(resolved: &Resolved) -> ServerPlan {
    let mut server = ServerPlan::of(&resolved.name, &resolved.subject);
    if resolved.embedded {
        // Where this executable lies is no part of the plan: its hash is the same everywhere.
        server.cmd[0] = "tcprove".into();
    }
    server
}

/// A seed from the clock.
pub(super) fn clock_seed() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64 & 0xffff_ffff
}

/// Sortable by time, unique for practical purposes.
fn run_id(seed: u64) -> String {
    let now = jiff::Timestamp::now();
    format!(
        "{}-{:04x}",
        now.strftime("%Y%m%dT%H%M%SZ"),
        (seed ^ u64::from(std::process::id())) & 0xffff
    )
}
