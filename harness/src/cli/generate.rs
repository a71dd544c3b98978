//! `tcprove generate`: files for editors, shells and packages.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::output::{note, say_bytes};
use super::plan_schema::AnyPlan;

#[derive(clap::Args)]
pub(super) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the JSON Schema of tcprove.toml, for editors, or of the reports
    Schema {
        /// Print that of the JSON reports
        #[arg(long)]
        report: bool,
    },
    /// Print all keys of tcprove.toml and what they mean, in Markdown
    Reference,
    /// Print all commands and their options, in Markdown
    Commands,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
    /// Print a C file to link into a server, so that campaigns see which parts of its code run
    Coverage,
}

pub(super) fn main(args: &GenerateArgs) -> ExitCode {
    let mut command = super::Cli::command();
    let mut text = Vec::new();
    let made = match &args.what {
        What::Schema { report } => {
            let schema = if *report {
                crate::report::schema::schema::<AnyPlan>()
            } else {
                crate::file::schema()
            };
            serde_json::to_writer_pretty(&mut text, &schema).map_err(std::io::Error::from)
        }
        What::Completions { shell } => {
            clap_complete::generate(*shell, &mut command, "tcprove", &mut text);
            Ok(())
        }
        What::Reference => text.write_all(crate::file::reference().trim_end().as_bytes()),
        What::Commands => text.write_all(commands(command).trim_end().as_bytes()),
        What::Coverage => text.write_all(crate::fuzz::COVERAGE_RUNTIME.trim_end().as_bytes()),
        What::Man { all: None } => clap_mangen::Man::new(command).render(&mut text),
        What::Man { all: Some(folder) } => return pages(command, folder),
    };
    if let Err(error) = made {
        note(&format!("error: {error}"));
        return ExitCode::from(70);
    }
    text.push(b'\n');
    say_bytes(&text);
    ExitCode::SUCCESS
}

/// The help of every command as a page in Markdown.
fn commands(command: clap::Command) -> String {
    let mut page =
        "# All commands\n\nWhat `--help` says. `tcprove generate commands` prints this page.\n"
            .to_owned();
    let mut due = vec![(command.get_name().to_owned(), command)];
    while let Some((name, mut command)) = due.pop() {
        let help = command.render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## {name}\n\n```text\n{}\n```\n",
            help.join("\n").trim_end()
        ));
        let inner = command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help" && !inner.is_hide_set());
        let inner: Vec<_> = inner
            .map(|inner| (format!("{name} {}", inner.get_name()), inner.clone()))
            .collect();
        due.extend(inner.into_iter().rev());
    }
    page
}

/// Writes a manual page for each command.
fn pages(command: clap::Command, folder: &Path) -> ExitCode {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), folder));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: --all {}: {error}", folder.display()));
            ExitCode::from(2)
        }
    }
}
