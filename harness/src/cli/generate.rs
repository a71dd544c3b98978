//! `tcprove generate`: files for editors, shells and packages.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::output::{note, say_bytes};

#[derive(clap::Args)]
pub(super) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the JSON Schema of tcprove.toml, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print a C file to link into a server, so that campaigns see the edges that it takes
    Coverage,
}

pub(super) fn main(args: &GenerateArgs) -> ExitCode {
    let mut command = super::Cli::command();
    let mut text = Vec::new();
    let made = match args.what {
        What::Schema => serde_json::to_writer_pretty(&mut text, &crate::file::schema())
            .map_err(std::io::Error::from),
        What::Completions { shell } => {
            clap_complete::generate(shell, &mut command, "tcprove", &mut text);
            Ok(())
        }
        What::Coverage => {
            text.extend_from_slice(crate::fuzz::COVERAGE_RUNTIME.trim_end().as_bytes());
            Ok(())
        }
        What::Man => clap_mangen::Man::new(command).render(&mut text),
    };
    if let Err(error) = made {
        note(&format!("error: {error}"));
        return ExitCode::from(70);
    }
    text.push(b'\n');
    say_bytes(&text);
    ExitCode::SUCCESS
}
