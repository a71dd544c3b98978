//! `tcprove init`: writes a commented tcprove.toml.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output as out;
use crate::file;

#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// Start from this built-in conversation; without it, list them
    #[arg(long, value_name = "NAME")]
    talk: Option<String>,
    /// Write to this file; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "tcprove.toml")]
    output: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

/// The error for a name that is missing or unknown, with a list of the built-in conversations.
fn unknown(name: &str) -> String {
    let names = file::BUILTIN.iter().map(|entry| entry.0);
    let first = match crate::text::nearest(name, names) {
        _ if name.is_empty() => "no conversation given: use --talk NAME with one of".to_owned(),
        Some(near) => {
            format!("unknown talk `{name}`: did you mean `{near}`? The built-in talks are")
        }
        None => format!("unknown talk `{name}`. The built-in talks are"),
    };
    let lines = file::BUILTIN
        .iter()
        .map(|(name, _, about)| format!("\n  {name:<12} {about}"));
    first + &lines.collect::<String>()
}

pub(super) fn main(args: &InitArgs) -> ExitCode {
    let name = args.talk.as_deref().unwrap_or_default();
    let Some(text) = file::init(name) else {
        out::note(&format!("error: {}", unknown(name)));
        return ExitCode::from(2);
    };
    if args.output.as_os_str() == "-" {
        out::say_bytes(text.as_bytes());
        return ExitCode::SUCCESS;
    }
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .truncate(args.force)
        .create(args.force)
        .create_new(!args.force);
    match options
        .open(&args.output)
        .and_then(|mut file| file.write_all(text.as_bytes()))
    {
        Ok(()) => {
            out::say(&format!(
                "wrote {}: adapt `cmd`, then run `tcprove check`",
                args.output.display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            out::note(&format!(
                "error: {} already exists: use --force to overwrite it, or -o FILE to write another file",
                args.output.display()
            ));
            ExitCode::from(2)
        }
        Err(error) => {
            out::note(&format!(
                "error: cannot write {}: {error}",
                args.output.display()
            ));
            ExitCode::from(2)
        }
    }
}
