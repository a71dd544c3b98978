//! The reference server as a program of its own. `tcprove serve` takes the same arguments.

use std::process::ExitCode;

use clap::Parser;
use tcprove_server::cli::ServeArgs;

/// The reference TCP server of tcprove.
#[derive(Parser)]
#[command(name = "tcprove-server", version)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| "tcprove-server".into());
    Arguments::parse().serve.main((program, Vec::new()))
}
