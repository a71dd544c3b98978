//! `tcprove merge`: the reports of the parts of one run, or of several campaigns or gates, become the report of the whole.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::bench::write_cells;
use super::draft::Draft;
use super::output::OutputArgs;
use crate::merge::{MergedCorpus, of_files, write_corpus};
use crate::report::{Body, Report, RunError};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct MergeArgs {
    /// The JSON reports of all parts of a battery, a load or a sweep, or of several campaigns or gates, in any order
    #[arg(value_name = "FILE", required = true)]
    pub parts: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Write the cells of a sweep over settings as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the corpora of campaigns to this new folder as one: as few cases as reach what all of them reached
    #[arg(long, value_name = "DIR", requires = "corpus_from")]
    pub corpus: Option<PathBuf>,
    /// The corpus of one or more of the campaigns; may be repeated
    #[arg(long, value_name = "DIR", requires = "corpus")]
    pub corpus_from: Vec<PathBuf>,
}

pub(super) fn main(args: &MergeArgs) -> ExitCode {
    args.output.apply_color();
    let report = args.output.prepare().and_then(|()| whole(args));
    let report = report.unwrap_or_else(|error| Draft::new("merge", Some(0)).finish(Err(error)));
    write_cells(&report, args.csv.as_deref());
    args.output.finish(&report)
}

fn whole(args: &MergeArgs) -> Result<Report, RunError> {
    let mut report = of_files(&args.parts).map_err(|error| RunError::usage(error.to_string()))?;
    let has_no = |option: &str, what: &str| {
        let command = report.header.command;
        Err(RunError::usage(format!(
            "{option}: `tcprove {command}` has no {what}"
        )))
    };
    if args.csv.is_some() && !matches!(report.body, Body::Sweep(_)) {
        return has_no("--csv", "cells: only a sweep over settings has");
    }
    if let Some(to) = &args.corpus {
        let Body::Fuzz(fuzz) = &mut report.body else {
            return has_no("--corpus", "corpus: only a campaign has");
        };
        let merged = write_corpus(&fuzz.result.kept, &args.corpus_from, to)
            .map_err(|error| RunError::usage(error.to_string()))?;
        fuzz.result.corpus = merged.cases;
        fuzz.result.notes.push(told(merged, to));
    }
    Ok(report)
}

fn told(merged: MergedCorpus, folder: &Path) -> String {
    let MergedCorpus { cases, of, unknown } = merged;
    let unknown = match unknown {
        0 => String::new(),
        unknown => format!(", {unknown} of them because no report says what they reach"),
    };
    format!(
        "the merged corpus in {} has {cases} of {of} cases{unknown}; they reach what all cases reached",
        folder.display()
    )
}
