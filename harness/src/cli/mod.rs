//! The command line: the only module that uses clap, stdout and exit codes. One file per command.

mod against;
mod bench;
mod builtin;
mod check;
mod complain;
mod detected;
mod draft;
mod durations;
mod embedded;
mod environment;
mod examples;
mod explain;
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
mod plan_schema;
mod prepared;
mod print;
mod progress;
mod reach;
mod recent;
mod record;
mod recording;
mod rehearse;
mod remaining;
mod replay;
mod rerun;
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
    args_conflicts_with_subcommands = true,
    after_help = examples::RUN
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
    #[command(after_help = examples::RUN)]
    Run(run::RunArgs),
    /// Run the battery of robustness checks.
    #[command(after_help = examples::CHECK)]
    Check(check::CheckArgs),
    /// Relay a real client to its server and record its sessions as cases for fuzzing.
    #[command(after_help = examples::RECORD)]
    Record(record::RecordArgs),
    /// Measure throughput and latency at a given rate, or as fast as replies arrive.
    #[command(after_help = examples::LOAD)]
    Load(load::LoadArgs),
    /// Vary settings and recommend the best: buffer sizes, connections, the server's own parameters.
    #[command(after_help = examples::BENCH)]
    Bench(bench::BenchArgs),
    /// Send mutated conversations to the server to find crashes, hangs, leaks and wrong replies.
    #[command(after_help = examples::FUZZ)]
    Fuzz(fuzz::FuzzArgs),
    /// Compare two builds of a server and fail if the candidate is worse than its base.
    #[command(after_help = examples::GATE)]
    Gate(gate::GateArgs),
    /// Show how the metrics of many gates developed, and with which commits they changed.
    #[command(after_help = examples::HISTORY)]
    History(history::HistoryArgs),
    /// Explain a check: its requirement, what it does, when it applies, and what to look at when it fails.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::ExplainArgs),
    /// Repeat findings on fresh servers to see whether the bugs are still there.
    #[command(after_help = examples::REPLAY)]
    Replay(replay::ReplayArgs),
    /// Repeat what failed in the last run in this folder.
    #[command(after_help = examples::RERUN)]
    Rerun(rerun::RerunArgs),
    /// Send one message, as the tutorial's client does, and show the reply.
    #[command(after_help = examples::SEND)]
    Send(send::SendArgs),
    /// Run the reference server, sound or with a planted fault.
    #[command(after_help = examples::SERVE)]
    Serve(serve::ServeArgs),
    /// Write a commented tcprove.toml: for a built-in talk, or for a server whose talk is found out.
    #[command(after_help = examples::INIT)]
    Init(init::InitArgs),
    /// Prove on this machine that the checks can fail and that measured times are right.
    #[command(after_help = examples::SELFTEST)]
    Selftest(selftest::SelftestArgs),
    /// Merge the reports of the parts of one run into the report of the whole.
    #[command(after_help = examples::MERGE)]
    Merge(merge::MergeArgs),
    /// Write the schema of tcprove.toml, shell completions or the manual page.
    #[command(after_help = examples::GENERATE)]
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
        Command::Explain(args) => explain::main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Rerun(args) => rerun::main(&args),
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
