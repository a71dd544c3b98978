//! The verdicts of checks.

use super::apart::alone;
use super::control::control;
use super::error::{ProveError, Result};
use super::prepared::Prepared;
use super::{Prove, ProveOrigin};
use crate::check::run::Battery;
use crate::check::{self, BATTERY, Check, Effort, LANES, Verdict, blockers};
use crate::report::{CheckReport, terminal};
use crate::subject::Interrupt;
use crate::text;

/// What a battery, or a part of it, has shown.
#[must_use = "the verdicts are in it: call assert_pass()"]
pub struct Checks {
    result: Result<CheckReport>,
    seed: u64,
}

impl Checks {
    pub(super) fn run(prove: &Prove, globs: &str) -> Self {
        let result = alone(|| judged(prove, globs));
        Self {
            result,
            seed: prove.seed,
        }
    }

    /// Panics unless every check that applies has passed; a warning is no failure. The message has, for each failure, what
    /// was expected, what happened, who sent what, what the server printed, and how to repeat it.
    ///
    /// # Panics
    /// A check has failed or reached no verdict, none applies, or the server does not start.
    #[track_caller]
    pub fn assert_pass(&self) {
        match &self.result {
            Err(error) => panic!("{error}"),
            Ok(report) if is_pass(report) => {}
            Ok(report) if report.counts.ran() == 0 => panic!(
                "none of these checks applies to this server, so nothing is proved\n{}",
                terminal::battery(report)
            ),
            Ok(report) => panic!("{}\n(seed {})", terminal::battery(report), self.seed),
        }
    }

    /// The ids of the checks that have failed.
    ///
    /// # Errors
    /// They could not be run.
    pub fn failed(&self) -> Result<Vec<&'static str>> {
        self.with(Verdict::Fail)
    }

    /// The ids of the checks that have warned.
    ///
    /// # Errors
    /// They could not be run.
    pub fn warned(&self) -> Result<Vec<&'static str>> {
        self.with(Verdict::Warn)
    }

    /// The ids of the checks that have passed.
    ///
    /// # Errors
    /// They could not be run.
    pub fn passed(&self) -> Result<Vec<&'static str>> {
        self.with(Verdict::Pass)
    }

    /// The ids of the checks that do not apply to this server or its conversation.
    ///
    /// # Errors
    /// They could not be run.
    pub fn skipped(&self) -> Result<Vec<&'static str>> {
        self.with(Verdict::Skip)
    }

    /// Everything as the binary would print it.
    ///
    /// # Errors
    /// The checks could not be run.
    pub fn text(&self) -> Result<String> {
        let report = self.result.as_ref().map_err(Clone::clone)?;
        Ok(terminal::battery(report))
    }

    fn with(&self, verdict: Verdict) -> Result<Vec<&'static str>> {
        let report = self.result.as_ref().map_err(Clone::clone)?;
        let outcomes = report.outcomes.iter();
        let chosen =
            outcomes.filter(|outcome| outcome.outcome == verdict && outcome.waived.is_none());
        Ok(chosen.map(|outcome| outcome.id).collect())
    }
}

fn is_pass(report: &CheckReport) -> bool {
    let counts = &report.counts;
    counts.fail == 0 && counts.inconclusive == 0 && counts.ran() > 0 && report.blockers.is_empty()
}

fn judged(prove: &Prove, globs: &str) -> Result<CheckReport> {
    let prepared = prove.prepared()?;
    let transport = prepared.subject.origin.transport();
    let whole = globs.trim() == "*";
    let checks = selected(globs)?
        .into_iter()
        .filter(|check| !whole || check.is_about(transport));
    let checks = checks.collect();
    let battery = battery(prove, prepared, checks);
    let (outcomes, rehearsal) = battery
        .run(&|_| {})
        .map_err(|error| ProveError::Server(error.to_string()))?;
    let learned = crate::report::Learned::of(&rehearsal);
    Ok(CheckReport::new(outcomes, Vec::new(), Some(learned)))
}

/// The checks whose id one of the globs matches.
fn selected(globs: &str) -> Result<Vec<&'static Check>> {
    let globs: Vec<&str> = globs.split(',').map(str::trim).collect();
    for glob in &globs {
        if !check::all().any(|check| glob_match::glob_match(glob, check.id)) {
            let near = text::suggestion(glob, check::all().map(|check| check.id));
            return Err(ProveError::Description(format!(
                "no check has an id that matches `{glob}`{near}"
            )));
        }
    }
    let matches = |check: &&'static Check| {
        globs
            .iter()
            .any(|glob| glob_match::glob_match(glob, check.id))
    };
    Ok(check::all().filter(matches).collect())
}

fn battery(prove: &Prove, prepared: Prepared, checks: Vec<&'static Check>) -> Battery {
    let several = prepared.subject.runs_beside_itself();
    let reproduce = match prove.origin {
        ProveOrigin::Running(_) => String::new(),
        _ => format!(
            "tcprove check --only {{id}} --seed {} {}",
            prove.seed, prepared.words
        ),
    };
    Battery {
        checks,
        control,
        waivers: blockers::in_force(&prepared.file.waive),
        lanes: if several { LANES } else { 1 },
        battery: prepared.file.check.battery.unwrap_or(BATTERY),
        max_time: None,
        effort: Effort {
            slow: false,
            soak: None,
        },
        reproduce,
        command_by_hand: prepared.command_by_hand,
        interrupt: Interrupt::default(),
        subject: prepared.subject,
    }
}
