//! The `tcprove` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tcprove::cli::main()
}
