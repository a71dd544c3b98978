//! `tcprove init`: a commented file to begin with.

use crate::file;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output as out;

/// Arguments of `init`.
#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// The built-in conversation to begin with; without a name, they are listed
    #[arg(long, value_name = "NAME")]
    talk: Option<String>,
    /// Where to write it; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "tcprove.toml")]
    output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// No name, or one that is not known: what there is.
fn which(name: &str) -> String {
    let names = file::BUILTIN.iter().map(|entry| entry.0);
    let first = match crate::text::nearest(name, names) {
        _ if name.is_empty() => "which conversation? Give --talk NAME, one of:".to_owned(),
        Some(near) => {
            format!("there is no built-in talk `{name}`: did you mean `{near}`? There are:")
        }
        None => format!("there is no built-in talk `{name}`. There are:"),
    };
    let lines = file::BUILTIN
        .iter()
        .map(|(name, _, about)| format!("\n  {name:<12} {about}"));
    first + &lines.collect::<String>()
}

pub(super) fn main(args: &InitArgs) -> ExitCode {
    let name = args.talk.as_deref().unwrap_or_default();
    let Some(text) = file::init(name) else {
        out::note(&format!("error: {}", which(name)));
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
                "error: {} is there already and is left as it is: give --force to replace it, or `-o FILE`",
                args.output.display()
            ));
            ExitCode::from(2)
        }
        Err(error) => {
            out::note(&format!(
                "error: {} cannot be written: {error}",
                args.output.display()
            ));
            ExitCode::from(2)
        }
    }
}
