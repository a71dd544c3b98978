//! `tcprove selftest`: proves on this machine that tcprove's verdicts and measurements are correct.

mod checks;
mod clock;
mod gate;

use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct SelftestArgs {
    /// Run the check that must catch each planted fault of the reference server (the default)
    #[arg(long)]
    checks: bool,
    /// Compare the latencies that a load reports with the known delays of the reference server
    #[arg(long, conflicts_with_all = ["checks", "only"])]
    clock: bool,
    /// Gate the reference server against itself and against one that is slower by a known share
    #[arg(long, conflicts_with_all = ["checks", "clock", "only"])]
    gate: bool,
    /// With --gate: run N gates of the server against itself, N/2 against one that is 3 % slower and N/3
    /// against one that is 2 % slower
    #[arg(long, value_name = "N", default_value_t = 12, requires = "gate")]
    trials: usize,
    /// With --gate: limit the time of each gate [default: 60s]
    #[arg(long, value_name = "TIME", requires = "gate", value_parser = super::target::duration)]
    max_time: Option<std::time::Duration>,
    /// With --checks: test only faults whose name or check matches
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// With --checks: reach the server by this transport: tls, starttls, unix, proxy-v1, proxy-v2, or several joined by +
    #[arg(long, value_name = "TRANSPORT", conflicts_with_all = ["clock", "gate"])]
    transport: Option<String>,
    /// Write the results as JSON to this file
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
