//! The command line: the only module that uses clap, stdout and exit codes. One file per command.

mod against;
mod bench;
mod builtin;
mod by_hand;
mod check;
mod complain;
mod detected;
mod draft;
mod durations;
mod embedded;
mod environment;
mod fuzz;
mod gate;
mod generate;
mod history;
mod init;
mod interrupt;
mod learned;
mod load;
mod merge;
mod output;
mod page;
mod place;
mod prepared;
mod print;
mod progress;
mod reach;
mod record;
mod rehearse;
mod replay;
mod run;
mod scheduler;
mod selftest;
mod send;
mod serve;
mod since;
mod target;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{process, report};

/// Prove a TCP server: robustness checks with evidence, honest load, sweeps over buffer sizes.
#[derive(Parser)]
#[command(
    name = "tcprove",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Run the checks, a short fuzz campaign and a short sweep (the default).
    Run(run::RunArgs),
    /// Run the battery of robustness checks.
    Check(check::CheckArgs),
    /// Relay a real client to its server and record its sessions as cases for fuzzing.
    Record(record::RecordArgs),
    /// Measure throughput and latency at a given rate, or as fast as replies arrive.
    Load(load::LoadArgs),
    /// Vary settings and recommend the best: buffer sizes, connections, the server's own parameters.
    Bench(bench::BenchArgs),
    /// Send mutated conversations to the server to find crashes, hangs, leaks and wrong replies.
    Fuzz(fuzz::FuzzArgs),
    /// Compare two builds of a server and fail if the candidate is worse than its base.
    Gate(gate::GateArgs),
    /// Show how the metrics of many gates developed, and with which commits they changed.
    History(history::HistoryArgs),
    /// Repeat findings on fresh servers to see whether the bugs are still there.
    Replay(replay::ReplayArgs),
    /// Send one message, as the tutorial's client does, and show the reply.
    Send(send::SendArgs),
    /// Run the reference server, sound or with a planted fault.
    Serve(serve::ServeArgs),
    /// Write a commented tcprove.toml: for a built-in talk, or for a server whose talk is found out.
    Init(init::InitArgs),
    /// Prove on this machine that the checks can fail and that measured times are right.
    Selftest(selftest::SelftestArgs),
    /// Merge the reports of the parts of one run into the report of the whole.
    Merge(merge::MergeArgs),
    /// Write the schema of tcprove.toml, shell completions or the manual page.
    Generate(generate::GenerateArgs),
}

/// Parses the arguments, runs the command and returns its exit code.
pub fn main() -> ExitCode {
    process::run_hidden();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return complain::usage(&error),
    };
    let dispatched = std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli)));
    let code = dispatched.unwrap_or_else(|_| complain::bug());
    process::end_host();
    if output::stdout_failed() {
        return report::ExitCode::Usage.into();
    }
    code
}

fn dispatch(cli: Cli) -> ExitCode {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::main(&args),
        Command::Check(args) => check::main(&args),
        Command::Record(args) => record::main(&args),
        Command::Load(args) => load::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Gate(args) => gate::main(&args),
        Command::History(args) => history::main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Send(args) => send::main(&args),
        Command::Serve(args) => serve::main(args),
        Command::Init(args) => init::main(&args),
        Command::Selftest(args) => selftest::main(&args),
        Command::Merge(args) => merge::main(&args),
        Command::Generate(args) => generate::main(&args),
    }
}

impl From<report::ExitCode> for ExitCode {
    fn from(code: report::ExitCode) -> Self {
        Self::from(code as u8)
    }
}
