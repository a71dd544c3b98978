//! `tcprove rerun`: repeats what failed in the last run in this folder.

use std::process::ExitCode;

use clap::Parser as _;

use super::check::{self, CheckArgs};
use super::output::{OutputArgs, note};
use super::recent::{self, RecentRun};
use super::replay::{self, ReplayArgs};
use super::{Cli, Command};
use crate::report::ExitCode as Code;

/// Arguments of `rerun`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct RerunArgs {
    /// Repeat this check or finding only, from the newest run in which it failed
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn main(args: &RerunArgs) -> ExitCode {
    match repeated(args) {
        Ok(code) => code,
        Err((code, text)) => {
            note(&format!("error: {text}"));
            code.into()
        }
    }
}

/// Why nothing is repeated.
type Refused = (Code, String);

fn repeated(args: &RerunArgs) -> Result<ExitCode, Refused> {
    let run = recent::newest(args.id.as_deref()).map_err(|text| (Code::Usage, text))?;
    let is_wanted = |id: &str| args.id.as_deref().is_none_or(|wanted| wanted == id);
    let mut checks = run.checks.clone();
    checks.retain(|id| is_wanted(id));
    let mut findings = run.findings.clone();
    findings.retain(|(id, _)| is_wanted(id));
    if checks.is_empty() && findings.is_empty() {
        return Err((
            Code::Nothing,
            format!(
                "nothing failed in the last run in this folder ({}, {})",
                run.target, run.verdict
            ),
        ));
    }
    let command = again(&run)?;
    recent::repeats(&run);
    let mut codes = Vec::new();
    if let (false, Some(first)) = (checks.is_empty(), command.checks) {
        codes.push(check::main(&CheckArgs {
            target: first.target.clone(),
            output: args.output.clone(),
            only: checks,
            seed: Some(run.seed),
            slow: first.slow,
            soak: first.soak,
            ..CheckArgs::default()
        }));
    }
    if let (false, Some(mut replay)) = (findings.is_empty(), command.replay) {
        replay.places = findings.into_iter().map(|(_, folder)| folder).collect();
        if codes.is_empty() {
            replay.output = args.output.clone();
        }
        codes.push(replay::main(&replay));
    }
    let failed = codes.iter().find(|code| **code != ExitCode::SUCCESS);
    Ok(failed.copied().unwrap_or(ExitCode::SUCCESS))
}

/// The parts of a command that can be repeated.
struct Again {
    checks: Option<CheckArgs>,
    replay: Option<ReplayArgs>,
}

/// The command line of a run, parsed again.
fn again(run: &RecentRun) -> Result<Again, Refused> {
    let words = std::iter::once("tcprove".to_owned()).chain(run.args.iter().cloned());
    let cli = Cli::try_parse_from(words).map_err(|error| {
        let text = format!("the arguments of that run are not understood any more: {error}");
        (Code::Usage, text)
    })?;
    let (checks, target, against) = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Check(args) => (Some(args), None, None),
        Command::Run(args) => {
            let target = args.check.target.clone();
            (Some(args.check), Some(target), None)
        }
        Command::Fuzz(args) => (None, Some(args.target.clone()), args.against.clone()),
        _ => (None, None, None),
    };
    Ok(Again {
        checks,
        replay: target.map(|target| ReplayArgs {
            places: Vec::new(),
            times: None,
            against,
            target,
            output: OutputArgs::default(),
        }),
    })
}
