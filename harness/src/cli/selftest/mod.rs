//! `tcprove selftest`: proves on this machine that what tcprove says can be relied on.

mod checks;
mod clock;

use std::process::ExitCode;

/// Arguments of `selftest`.
#[derive(clap::Args)]
pub(super) struct SelftestArgs {
    /// Put every planted fault of the reference server to the check that must catch it (the default)
    #[arg(long)]
    checks: bool,
    /// Compare what a load reports with what the server is known to have done
    #[arg(long, conflicts_with_all = ["checks", "only"])]
    clock: bool,
    /// Only faults whose name, or whose check, matches
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<std::path::PathBuf>,
}

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    if args.clock {
        clock::main(args)
    } else {
        checks::main(args)
    }
}
