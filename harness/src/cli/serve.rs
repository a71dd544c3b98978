//! `tcprove serve`: the reference server.

use std::ffi::OsString;
use std::process::ExitCode;

pub(super) use tcprove_server::cli::ServeArgs;

pub(super) fn main(args: ServeArgs) -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| "tcprove".into());
    args.main((program, vec![OsString::from("serve")]))
}
