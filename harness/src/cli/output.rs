//! Writes results to stdout and to the files that the output flags name.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use super::place::{Place, Render};
use super::print::stdout;
pub(super) use super::print::{note, say, say_bytes, stdout_failed};
use crate::report::{
    ExitCode as Code, OnInconclusive, Report, RunError, annotations, json, junit, markdown, sarif,
    terminal, trace,
};

/// Output flags of every command that produces a report.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write the report as JSON; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as JUnit XML; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the report as Markdown; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write the report as SARIF, for code scanning; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Write the report as one self-contained HTML page; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write when what ran, and who did what when in checks that fell short, as a trace for
    /// ui.perfetto.dev; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Choose the exit code of an inconclusive run
    #[arg(long, value_enum, default_value = "exit5")]
    pub(crate) on_inconclusive: Inconclusive,
    /// Show no progress on stderr
    #[arg(long)]
    pub(crate) no_progress: bool,
    /// Use colours in the printed report
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) color: Color,
    /// Print more details on stderr
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
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
    /// Applies the colour choice to all later output.
    pub(crate) fn apply_color(&self) {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }

    /// Checks that every report can be written, so that a mistake is found before a run of hours.
    /// Leaves an existing report unchanged until this run has produced its own.
    pub(crate) fn prepare(&self) -> Result<(), RunError> {
        let places = self.places();
        let to_stdout: Vec<&str> = places
            .iter()
            .filter(|place| place.is_stdout())
            .map(|place| place.flag)
            .collect();
        if to_stdout.len() > 1 {
            return Err(RunError::usage(format!(
                "only one report can be written to stdout, but {} ask for it: write the others to files",
                to_stdout.join(" and ")
            )));
        }
        places.iter().try_for_each(Place::check)
    }

    /// Prints the report, writes it to every file, and returns the exit code. A failed write does not
    /// change the verdict but is a usage error.
    pub(crate) fn finish(&self, report: &Report) -> ExitCode {
        let places = self.places();
        // Nothing else is printed on stdout beside a report, and an error is never printed there.
        let to_stderr = report.error.is_some() || places.iter().any(Place::is_stdout);
        let printed = if to_stderr {
            let text = terminal::render(report, columns(std::io::stderr()));
            let _ = write!(anstream::stderr(), "{text}");
            true
        } else {
            let text = terminal::render(report, columns(std::io::stdout()));
            stdout(&text)
        };
        let written = write_all(&places, report);
        match report.exit_code(self.on_inconclusive.into()) {
            // In the contract's order, only these two take precedence over a usage error.
            code @ (Code::Bug | Code::Interrupted) => code.into(),
            _ if !(printed && written) => Code::Usage.into(),
            code => code.into(),
        }
    }

    /// Writes the report to every file without printing it. False if a write failed.
    pub(crate) fn write(&self, report: &Report) -> bool {
        write_all(&self.places(), report)
    }

    fn places(&self) -> Vec<Place> {
        let flags: [(&'static str, &Option<PathBuf>, Render); 6] = [
            ("--json", &self.json, json::render),
            ("--junit", &self.junit, junit::render),
            ("--markdown", &self.markdown, markdown::render),
            ("--sarif", &self.sarif, sarif::render),
            ("--html", &self.html, super::page::render),
            ("--trace", &self.trace, trace::render),
        ];
        flags
            .into_iter()
            .filter_map(|(flag, path, render)| Some(Place::new(flag, path.as_ref()?, render)))
            .collect()
    }
}

/// Writes the report to every place. False if one of the writes failed.
fn write_all(places: &[Place], report: &Report) -> bool {
    // Counts failures instead of using `all`, which would skip the remaining places after a failure.
    let failures = places.iter().filter(|place| !place.write(report)).count();
    step_summary(report);
    annotate(report);
    failures == 0
}

/// Prints on stdout what `text` makes of the width of the terminal.
pub(super) fn laid_out(text: &dyn Fn(Option<usize>) -> String) {
    stdout(&text(columns(std::io::stdout())));
}

/// A line for stdout, or for stderr, wrapped to the width of the terminal that it goes to; continued lines are indented.
pub(super) fn wrapped(line: &str, indent: usize, to_stderr: bool) -> String {
    let columns = if to_stderr {
        columns(std::io::stderr())
    } else {
        columns(std::io::stdout())
    };
    terminal::prose(line, indent, columns)
}

/// The width of a terminal in columns; `None` if the stream is not a terminal.
fn columns(stream: impl AsFd + std::io::IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Prints annotations for GitHub Actions on stderr, so that stdout contains only the report.
fn annotate(report: &Report) {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
        let _ = write!(std::io::stderr(), "{}", annotations::render(report));
    }
}

/// Appends the report to the step summary of GitHub Actions, if there is one.
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
