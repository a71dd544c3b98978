//! `tcprove run`, the default: everything in one go. Falls back to the embedded reference server.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::check::{self, CheckArgs};
use super::output::{OutputArgs, note};
use super::{bench, fuzz, setup, target};
use crate::report::{Body, Report, RunError};

/// Arguments of `run`: those of `check`, and what comes after the battery.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct RunArgs {
    #[command(flatten)]
    check: CheckArgs,
    /// How long the campaign after the battery lasts; 0s: none. Where checks are selected there is none
    #[arg(long, value_name = "TIME", value_parser = target::duration, default_value = "10s")]
    fuzz: Duration,
    /// No sweep at the end
    #[arg(long)]
    no_bench: bool,
}

pub(super) fn main(args: &RunArgs) -> ExitCode {
    let mut args = args.clone();
    if args.check.list {
        return check::main(&args.check);
    }
    if args.check.target.is_empty() {
        note(
            "No tcprove.toml here and no target given: running on the embedded reference server (`tcprove init` writes a file for yours).",
        );
        args.check.target.embedded = true;
    }
    args.check.output.apply_color();
    let seed = args.check.seed.unwrap_or_else(setup::clock_seed);
    args.check.seed = Some(seed);
    let mut report = Report::new("run", seed);
    let begun = Instant::now();
    match check::fill(&mut report, &args.check) {
        Err(error) => report.error = Some(error),
        // Who selects checks, or a time for them, wants to see those.
        Ok(()) if args.wants_checks_only() || report.interrupted => {}
        Ok(()) => args.rest(&mut report),
    }
    report.duration_s = begun.elapsed().as_secs_f64();
    args.check.output.finish(&report)
}

impl RunArgs {
    fn wants_checks_only(&self) -> bool {
        let check = &self.check;
        let selected = !check.only.is_empty() || !check.skip.is_empty();
        selected || check.shard.is_some() || check.max_time.is_some()
    }

    /// The campaign, then the sweep.
    fn rest(&self, report: &mut Report) {
        let fuzz = (!self.fuzz.is_zero()).then(|| {
            part("fuzz", report.seed, |part| {
                fuzz::short(part, &self.check.target, &self.quiet(), self.fuzz)
            })
        });
        let stopped = fuzz.as_ref().is_some_and(|fuzz| fuzz.interrupted);
        let bench = (!self.no_bench && !stopped).then(|| {
            part("bench", report.seed, |part| {
                bench::quick(part, &self.check.target, &self.quiet())
            })
        });
        report.completed(fuzz, bench);
    }

    /// How output is given, without its files: those are for the whole.
    fn quiet(&self) -> OutputArgs {
        OutputArgs {
            json: None,
            junit: None,
            markdown: None,
            ..self.check.output.clone()
        }
    }
}

/// A report of its own for one part.
fn part(
    command: &'static str,
    seed: u64,
    fill: impl FnOnce(&mut Report) -> Result<(), RunError>,
) -> Report {
    let mut report = Report::new(command, seed);
    report.body = Body::Nothing {};
    let begun = Instant::now();
    if let Err(error) = fill(&mut report) {
        report.error = Some(error);
    }
    report.duration_s = begun.elapsed().as_secs_f64();
    report
}
