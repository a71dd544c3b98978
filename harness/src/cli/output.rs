//! Where results go: stdout, and the files that were asked for.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use super::page::PageArgs;
use super::place::{Place, Render};
use super::print::stdout;
pub(super) use super::print::{note, say, say_bytes, stdout_failed};
use crate::report::{
    ExitCode as Code, OnInconclusive, Report, RunError, annotations, json, junit, markdown,
    terminal,
};

/// Output flags of every command that ends with a report.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write the report as JSON; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report as JUnit XML; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as Markdown; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Choose the exit code of an inconclusive run
    #[arg(long, value_enum, default_value = "exit5")]
    pub on_inconclusive: Inconclusive,
    /// Show no progress on stderr
    #[arg(long)]
    pub no_progress: bool,
    /// Use colours in the printed report
    #[arg(long, value_enum, default_value = "auto")]
    pub color: Color,
    /// Print more details on stderr
    #[arg(short = 'v', long)]
    pub verbose: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub(super) enum Inconclusive {
    Pass,
    Fail,
    #[default]
    Exit5,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl From<Inconclusive> for OnInconclusive {
    fn from(value: Inconclusive) -> Self {
        match value {
            Inconclusive::Pass => Self::Pass,
            Inconclusive::Fail => Self::Fail,
            Inconclusive::Exit5 => Self::Exit5,
        }
    }
}

impl OutputArgs {
    /// Sets the colour choice for everything that is printed from here on.
    pub(crate) fn apply_color(&self) {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }

    /// Checks that every place can be written to, so that a mistake is found before hours of work.
    /// An earlier report stays as it is until this run has one.
    pub(crate) fn prepare(&self, page: &PageArgs) -> Result<(), RunError> {
        let places = self.places(page);
        let to_stdout: Vec<&str> = places
            .iter()
            .filter(|place| place.is_stdout())
            .map(|place| place.flag)
            .collect();
        if to_stdout.len() > 1 {
            return Err(RunError::usage(format!(
                "only one report can go to stdout, and {} ask for it: give the others a file",
                to_stdout.join(" and ")
            )));
        }
        places.iter().try_for_each(Place::check)
    }

    /// Prints the report and writes it everywhere it was asked for. A report that cannot be written
    /// changes no verdict, but is a usage error.
    pub(crate) fn finish(&self, page: &PageArgs, report: &Report) -> ExitCode {
        let places = self.places(page);
        // A report on stdout is the only thing there; an error never goes to stdout.
        let beside = report.error.is_some() || places.iter().any(Place::is_stdout);
        let printed = if beside {
            let text = terminal::render(report, columns(std::io::stderr()));
            let _ = write!(anstream::stderr(), "{text}");
            true
        } else {
            let text = terminal::render(report, columns(std::io::stdout()));
            stdout(&text)
        };
        let written = write_all(&places, report);
        match report.exit_code(self.on_inconclusive.into()) {
            // The contract's order: only these come before a usage error.
            code @ (Code::Bug | Code::Interrupted) => code.into(),
            _ if !(printed && written) => Code::Usage.into(),
            code => code.into(),
        }
    }

    /// Writes the report everywhere it was asked for, and prints nothing.
    pub(crate) fn write(&self, page: &PageArgs, report: &Report) -> bool {
        write_all(&self.places(page), report)
    }

    fn places(&self, page: &PageArgs) -> Vec<Place> {
        let asked: [(&'static str, &Option<PathBuf>, Render); 4] = [
            ("--json", &self.json, |report| Some(json::render(report))),
            ("--junit", &self.junit, |report| Some(junit::render(report))),
            ("--markdown", &self.markdown, |report| {
                Some(markdown::render(report))
            }),
            ("--html", &page.html, super::page::render),
        ];
        asked
            .into_iter()
            .filter_map(|(flag, path, render)| Some(Place::new(flag, path.as_ref()?, render)))
            .collect()
    }
}

/// Writes the report to every place; false if one of them could not be written to.
fn write_all(places: &[Place], report: &Report) -> bool {
    // Every place is written to, also after one that failed.
    let failures = places.iter().filter(|place| !place.write(report)).count();
    step_summary(report);
    annotate(report);
    failures == 0
}

/// Columns of a terminal; `None` for anything else.
fn columns(stream: impl AsFd + std::io::IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Annotations for GitHub Actions: on stderr, so that stdout holds nothing but the report.
fn annotate(report: &Report) {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
        let _ = write!(std::io::stderr(), "{}", annotations::render(report));
    }
}

/// The step summary of GitHub Actions, where there is one.
fn step_summary(report: &Report) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let appended = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(markdown::render(report).as_bytes()));
    if let Err(error) = appended {
        note(&format!("note: cannot write the step summary: {error}"));
    }
}
