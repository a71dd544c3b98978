//! `tcprove merge`: the reports of the parts of one run, or of several campaigns, become the report of the whole.

use std::path::PathBuf;
use std::process::ExitCode;

use super::draft::Draft;
use super::output::OutputArgs;
use super::page::{self, PageArgs};
use crate::merge::of_files;
use crate::report::{Report, RunError};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct MergeArgs {
    /// The JSON reports of all parts of a battery, or of several campaigns, in any order
    #[arg(value_name = "FILE", required = true)]
    pub parts: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

pub(super) fn main(args: &MergeArgs) -> ExitCode {
    args.output.apply_color();
    let page = &args.page;
    let report = args.output.prepare(page).and_then(|()| whole(args));
    let report = report.unwrap_or_else(|error| Draft::new("merge", Some(0)).finish(Err(error)));
    args.output.finish(page, &report)
}

fn whole(args: &MergeArgs) -> Result<Report, RunError> {
    let report = of_files(&args.parts).map_err(|error| RunError::usage(error.to_string()))?;
    if args.page.html.is_some() && page::render(&report).is_none() {
        return Err(RunError::usage(format!(
            "--html: `tcprove {}` has no page",
            report.header.command
        )));
    }
    Ok(report)
}
