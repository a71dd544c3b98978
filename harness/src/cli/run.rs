//! `tcprove run`, the default: everything in one go. Falls back to the embedded reference server.

use std::process::ExitCode;

use super::check::{self, CheckArgs};
use super::output::note;

/// Arguments of `run`: those of `check`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct RunArgs {
    #[command(flatten)]
    check: CheckArgs,
}

pub(super) fn main(args: &RunArgs) -> ExitCode {
    let mut args = args.check.clone();
    if args.target.is_empty() {
        note(
            "No tcprove.toml here and no target given: running on the embedded reference server (`tcprove init` writes a file for yours).",
        );
        args.target.embedded = true;
    }
    check::perform("run", &args)
}
