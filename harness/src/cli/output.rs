//! Where results go: stdout, and the files that were asked for.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// What to make of a run that could not see everything
    #[arg(long, value_enum, default_value = "exit5")]
    pub on_inconclusive: Inconclusive,
    /// No progress on stderr
    #[arg(long)]
    pub no_progress: bool,
    /// Colours in what is printed
    #[arg(long, value_enum, default_value = "auto")]
    pub color: Color,
    /// Say more on stderr
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
    /// Settles colours for everything that is printed from here on.
    pub fn apply_color(&self) {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }

    /// Empties the files that were asked for, so that a report of an earlier run cannot be taken for
    /// one of this run, and so that a place that cannot be written to is known before hours of work.
    pub fn prepare(&self) -> Result<(), RunError> {
        let places = [
            ("--json", &self.json),
            ("--junit", &self.junit),
            ("--markdown", &self.markdown),
        ];
        for (flag, path) in places {
            if let Some(path) = path
                && let Err(error) = empty(path)
            {
                return Err(RunError {
                    code: "usage",
                    message: format!("{flag} {} cannot be written: {error}", path.display()),
                    location: None,
                });
            }
        }
        Ok(())
    }

    /// Writes the report everywhere it was asked for. A reporter that fails changes no verdict,
    /// but a file that was asked for and is not there is a usage error.
    pub fn finish(&self, report: &Report) -> ExitCode {
        let places = Places {
            json: self.json.as_deref(),
            junit: self.junit.as_deref(),
            markdown: self.markdown.as_deref(),
        };
        if places.json == Some(Path::new("-")) || report.error.is_some() {
            let text = terminal::render(report, columns(std::io::stderr()));
            let _ = write!(anstream::stderr(), "{text}");
        } else {
            let text = terminal::render(report, columns(std::io::stdout()));
            let _ = write!(anstream::stdout(), "{text}");
        }
        let written = places.write(report);
        match report.exit_code(self.on_inconclusive.into()) {
            // The contract's order: only these come before a usage error.
            code @ (Code::Bug | Code::Interrupted) => ExitCode::from(code as u8),
            _ if !written => ExitCode::from(Code::Usage as u8),
            code => ExitCode::from(code as u8),
        }
    }
}

/// The files that a report goes to.
#[derive(Default)]
pub(super) struct Places<'a> {
    pub json: Option<&'a Path>,
    pub junit: Option<&'a Path>,
    pub markdown: Option<&'a Path>,
}

impl Places<'_> {
    /// Writes what was asked for; false if something could not be written.
    pub fn write(&self, report: &Report) -> bool {
        let json = match self.json {
            Some(path) if path == Path::new("-") => {
                let _ = write!(std::io::stdout(), "{}", json::render(report));
                true
            }
            path => file(path, report, json::render),
        };
        let junit = file(self.junit, report, junit::render);
        let markdown = file(self.markdown, report, markdown::render);
        step_summary(report);
        annotate(report);
        json && junit && markdown
    }
}

/// A line of results. A reader who has gone away (`| head`) is no error of ours.
pub(super) fn say(line: &str) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// A line beside the results.
pub(super) fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Columns of a terminal; `None` for anything else.
fn columns(stream: impl AsFd + std::io::IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Pipes and devices are left alone: to open one more than once would end it for its reader.
fn empty(path: &Path) -> std::io::Result<()> {
    let special = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if path == Path::new("-") || special {
        return Ok(());
    }
    std::fs::File::create(path).map(drop)
}

fn file(path: Option<&Path>, report: &Report, text: impl FnOnce(&Report) -> String) -> bool {
    let Some(path) = path else { return true };
    let Err(error) = std::fs::write(path, text(report)) else {
        return true;
    };
    let name = path.display().to_string();
    let said = report
        .error
        .as_ref()
        .is_some_and(|error| error.message.contains(&name));
    if !said {
        note(&format!(
            "error: the report cannot be written to {name}: {error}"
        ));
    }
    false
}

/// GitHub's annotations, where it runs us: on stderr, so that stdout is nothing but the report.
fn annotate(report: &Report) {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
        let _ = write!(std::io::stderr(), "{}", annotations::render(report));
    }
}

/// GitHub's step summary, where it is offered.
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
        let _ = writeln!(
            anstream::stderr(),
            "note: the step summary cannot be written: {error}"
        );
    }
}
