//! `tcprove selftest`: proves on this machine that what tcprove says can be relied on.

mod checks;
mod clock;
mod gate;

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
    /// Let the gate compare the reference server with itself and with one that is slower by a known amount
    #[arg(long, conflicts_with_all = ["checks", "clock", "only"])]
    gate: bool,
    /// With --gate: so many gates of a server with itself, half as many of one that is 3 % slower, a third as
    /// many of one that is 2 % slower
    #[arg(long, value_name = "N", default_value_t = 12, requires = "gate")]
    trials: usize,
    /// With --gate: how long each may take [default: 60s]
    #[arg(long, value_name = "TIME", requires = "gate", value_parser = super::target::duration)]
    max_time: Option<std::time::Duration>,
    /// Only faults whose name, or whose check, matches
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<std::path::PathBuf>,
}

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    if args.gate {
        gate::main(args)
    } else if args.clock {
        clock::main(args)
    } else {
        checks::main(args)
    }
}
