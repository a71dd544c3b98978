//! `tcprove run`, the default command: checks, a short fuzz campaign and a short sweep. Without a
//! target it runs on the embedded reference server.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::check::{self, CheckArgs};
use super::draft::{self, Draft};
use super::output::{OutputArgs, note};
use super::since::Earlier;
use super::{bench, fuzz, recent, target};
use crate::check::run::MaxTime;
use crate::report::{Body, CheckReport, Report, RunError, Whole};

/// Time for learning the server and for what the last check takes, besides that of the checks. A sweep is shorter if they take more.
const MARGIN: Duration = Duration::from_secs(4);

/// Arguments of `run`: those of `check`, and the length of what follows the battery.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) check: CheckArgs,
    /// Start no check after this time; what is left out is named
    #[arg(long, value_name = "TIME", value_parser = target::duration, default_value = "60s")]
    checks: Duration,
    /// Fuzz for this long after the battery; 0s skips fuzzing. Also skipped if checks are selected
    #[arg(long, value_name = "TIME", value_parser = target::duration_or_zero, default_value = "10s")]
    fuzz: Duration,
    /// Skip the sweep at the end
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
    let draft = Draft::new("run", args.check.seed);
    // The commands that repeat a check contain the seed.
    args.check.seed = Some(draft.seed());
    // A user who selects checks, or limits their time, is only interested in checks.
    let checks_only = args.wants_checks_only();
    args.check.shared_time = (!checks_only).then_some(MaxTime::Shared(args.checks));
    let begun = Instant::now();
    let perform = |draft: &mut Draft| {
        let earlier = args.check.since.read(draft)?;
        let checked = check::battery_of(draft, &args.check, earlier.as_ref())?;
        if checks_only || draft.is_interrupted() {
            return Ok(Body::Check(checked));
        }
        let late = begun.elapsed().saturating_sub(args.checks + MARGIN);
        Ok(args.rest(draft, checked, earlier.as_ref(), late))
    };
    draft::run_then(draft, &args.check.output, perform, recent::keep)
}

impl RunArgs {
    fn wants_checks_only(&self) -> bool {
        let check = &self.check;
        let selected = !check.only.is_empty() || !check.skip.is_empty();
        selected || check.shard.is_some() || check.max_time.is_some()
    }

    /// Runs what follows the checks, which have ended this late.
    fn rest(
        &self,
        draft: &mut Draft,
        mut checked: CheckReport,
        earlier: Option<&Earlier>,
        late: Duration,
    ) -> Body {
        let seed = draft.seed();
        let fuzz = (!self.fuzz.is_zero()).then(|| {
            part("fuzz", seed, |part| {
                fuzz::short(part, &self.check.target, &self.quiet(), self.fuzz)
            })
        });
        let stopped = fuzz.as_ref().is_some_and(|fuzz| fuzz.header.interrupted);
        let bench = (!self.no_bench && !stopped).then(|| {
            part("bench", seed, |part| {
                bench::quick(part, &self.check.target, &self.quiet(), late)
            })
        });
        let parts = || fuzz.iter().chain(&bench);
        draft.interrupted(parts().any(|part| part.header.interrupted));
        let campaign = fuzz.as_ref().map(|report| &report.body);
        if let (Some(earlier), Some(since), Some(Body::Fuzz(fuzz))) =
            (earlier, &mut checked.since, campaign)
        {
            earlier.compare_findings(since, &fuzz.result.findings);
        }
        Body::Run(Box::new(Whole {
            checked,
            fuzz,
            bench,
        }))
    }

    /// The output options without the report files, which are written for the whole run.
    fn quiet(&self) -> OutputArgs {
        OutputArgs {
            json: None,
            junit: None,
            markdown: None,
            sarif: None,
            html: None,
            trace: None,
            ..self.check.output.clone()
        }
    }
}

/// Runs one part and returns its own report.
fn part(
    command: &'static str,
    seed: u64,
    perform: impl FnOnce(&mut Draft) -> Result<Body, RunError>,
) -> Report {
    let mut draft = Draft::new(command, Some(seed));
    let result = perform(&mut draft);
    draft.finish(result)
}
