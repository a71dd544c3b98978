//! The report of a run in progress: everything except the result.

use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::output::{OutputArgs, note};
use super::target::PreparedTarget;
use super::{environment, interrupt};
use crate::data::clock_seed;
use crate::report::{Body, Header, Report, RunError, RunPlan, Servers};
use crate::subject::ServerPlan;
use crate::text::escape_text;

/// The report of a run in progress.
pub(super) struct Draft {
    header: Header,
    begun: Instant,
}

impl Draft {
    /// Starts the report of `command`. Without a seed, one is taken from the clock.
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

    /// The seed of every random choice of the run.
    pub(crate) fn seed(&self) -> u64 {
        self.header.seed
    }

    /// The command.
    pub(crate) fn command(&self) -> &'static str {
        self.header.command
    }

    /// The hash of the plan, once there is one.
    pub(crate) fn plan_hash(&self) -> Option<&str> {
        self.header.plan_hash.as_deref()
    }

    /// When the run began.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Sets the target.
    pub(crate) fn target(&mut self, resolved: &PreparedTarget) {
        self.header.target = Some(resolved.report());
    }

    /// Prints the command, the target and the seed on stderr.
    pub(crate) fn announce(&self, resolved: &PreparedTarget) {
        note(&format!(
            "tcprove {}: {}, seed {}",
            self.header.command,
            escape_text(&resolved.name, 80),
            self.header.seed
        ));
    }

    /// Sets the plan and its hash.
    pub(crate) fn planned(&mut self, plan: &impl Serialize, hash: String) {
        // A plan is plain data, so serialization cannot fail.
        self.header.plan = serde_json::to_value(plan).ok();
        self.header.plan_hash = Some(hash);
    }

    /// Marks the run as interrupted if `interrupted` is true.
    pub(crate) fn interrupted(&mut self, interrupted: bool) {
        self.header.interrupted |= interrupted;
    }

    /// Whether the user interrupted the run.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.header.interrupted
    }

    /// Completes the report with the result and the duration of the run.
    pub(crate) fn finish(mut self, result: Result<Body, RunError>) -> Report {
        self.header.duration_s = self.begun.elapsed().as_secs_f64();
        Report::new(self.header, result)
    }
}

/// Runs a command: `perform` does the work; the report is written as `output` says and determines the exit code.
pub(super) fn run(
    draft: Draft,
    output: &OutputArgs,
    perform: impl FnOnce(&mut Draft) -> Result<Body, RunError>,
) -> ExitCode {
    run_then(draft, output, perform, |_| {})
}

/// As [`run`], but calls `then` with the report before it is written.
pub(super) fn run_then(
    mut draft: Draft,
    output: &OutputArgs,
    perform: impl FnOnce(&mut Draft) -> Result<Body, RunError>,
    then: impl FnOnce(&Report),
) -> ExitCode {
    output.apply_color();
    let result = output.prepare().and_then(|()| perform(&mut draft));
    draft.interrupted(result.is_err() && interrupt::is_set());
    let report = draft.finish(result);
    then(&report);
    output.finish(&report)
}

/// The plan of a run on one server.
pub(super) fn run_plan<P>(
    resolved: &PreparedTarget,
    feature: P,
    output: &OutputArgs,
) -> RunPlan<P> {
    RunPlan {
        servers: Servers::One {
            server: Box::new(server_plan(resolved)),
        },
        talk: resolved.subject.talk.name.clone(),
        feature,
        on_inconclusive: output.on_inconclusive.into(),
    }
}

/// The server as the plan describes it.
pub(super) fn server_plan(resolved: &PreparedTarget) -> ServerPlan {
    let mut server = ServerPlan::of(&resolved.name, &resolved.subject);
    if resolved.embedded {
        // The plan's hash must not depend on where this executable is installed.
        server.cmd[0] = "tcprove".into();
    }
    server
}

/// An id that sorts by time and is unique for practical purposes.
fn run_id(seed: u64) -> String {
    let now = now_utc().replace(['-', ':'], "");
    let process = (seed ^ u64::from(std::process::id())) & 0xffff;
    format!("{now}-{process:04x}")
}

/// The time in UTC to the second, as in RFC 3339.
pub(super) fn now_utc() -> String {
    let now = OffsetDateTime::now_utc().truncate_to_second();
    now.format(&Rfc3339).unwrap_or_default()
}
