//! `tcprove history`: how the metrics of many gates developed, and where they changed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::draft::{self, Draft};
use super::output::OutputArgs;
use crate::gate::history::{Entry, history, parse};
use crate::report::{Body, HistoryReport, RunError};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct HistoryArgs {
    /// The files to which `tcprove gate --history` has appended, the oldest one first
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) fn main(args: &HistoryArgs) -> ExitCode {
    let draft = Draft::new("history", Some(0));
    draft::run(draft, &args.output, |_| perform(args))
}

fn perform(args: &HistoryArgs) -> Result<Body, RunError> {
    let mut entries = Vec::new();
    for file in &args.files {
        entries.extend(read(file)?);
    }
    if entries.is_empty() {
        return Err(RunError::usage(
            "the history has no gates\nnext: run `tcprove gate --history FILE`, which appends one line to it",
        ));
    }
    let history = history(&entries);
    Ok(Body::History(Box::new(HistoryReport { history })))
}

fn read(file: &Path) -> Result<Vec<Entry>, RunError> {
    let wrong = |error: &dyn std::fmt::Display| {
        RunError::usage(format!("{} cannot be read: {error}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    parse(&text).map_err(|error| wrong(&error))
}
