//! `--html FILE`: one page that holds everything.

use std::path::{Path, PathBuf};

use super::output::note;
use crate::report::html::{self, Page};
use crate::report::{Body, Report, RunError, RunVerdict};
use crate::text::escape_text;

/// The page of a measurement.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct PageArgs {
    /// Write the report as one HTML page that holds everything: plots, environment, commands
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl PageArgs {
    /// A place that cannot be written to is known before hours of work.
    pub fn prepare(&self) -> Result<(), RunError> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        std::fs::File::create(path)
            .map(drop)
            .map_err(|error| RunError {
                code: "usage",
                message: format!("--html {} cannot be written: {error}", path.display()),
                location: None,
            })
    }

    /// Writes the page, if it was asked for and there is something to show.
    pub fn write(&self, report: &Report) {
        let Some(path) = &self.html else { return };
        let Some(text) = page(report) else { return };
        if let Err(error) = std::fs::write(path, text) {
            note(&format!(
                "error: the page cannot be written to {}: {error}",
                path.display()
            ));
        }
    }
}

fn page(report: &Report) -> Option<String> {
    let target = report.target.as_ref();
    let name = target.map_or("no target", |target| target.name.as_str());
    let title = format!("{}: {}", report.command, escape_text(name, 120));
    let verdict = match report.verdict {
        RunVerdict::Pass => "pass",
        RunVerdict::Fail => "fail",
        RunVerdict::Inconclusive => "inconclusive",
        RunVerdict::Error => "error",
    };
    let page = Page {
        title: &title,
        verdict,
        target: target.map_or("", |target| target.command.as_str()),
        command_lines: vec![as_called(report.seed)],
        environment: &report.environment,
        duration_s: report.duration_s,
        seed: report.seed,
    };
    match &report.body {
        Body::Load(load) => Some(html::load(&page, &load.workload, &load.result)),
        Body::Sweep(sweep) => Some(html::sweep(&page, &sweep.result)),
        Body::Gate(gate) => Some(html::gate(&page, gate)),
        Body::Nothing {} | Body::Check(_) | Body::Run(_) | Body::Fuzz(_) | Body::Replay(_) => None,
    }
}

/// The command as it was called, with its seed.
fn as_called(seed: u64) -> String {
    let words: Vec<String> = std::env::args().collect();
    let at = words
        .iter()
        .position(|word| word == "--")
        .unwrap_or(words.len());
    let (ours, server) = words.split_at(at);
    let mut all = ours.to_vec();
    if let Some(program) = all.first_mut() {
        let name = Path::new(program.as_str()).file_name();
        *program = name.map_or_else(
            || "tcprove".into(),
            |name| name.to_string_lossy().into_owned(),
        );
    }
    if !all.iter().any(|word| word.starts_with("--seed")) {
        all.extend(["--seed".into(), seed.to_string()]);
    }
    all.extend(server.to_vec());
    shell_words::join(all)
}
