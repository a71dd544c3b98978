//! Errors that occur before a command runs: invalid arguments, and bugs in tcprove. The requested
//! reports are written nevertheless.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::draft::Draft;
use super::output::{OutputArgs, note};
use crate::report::{ErrorCode, ExitCode as Code, RunError};
use crate::text::suggestion;

/// Prints an error of clap. Help and version are not errors.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    match unknown_command(error) {
        Some(message) => {
            note(&format!("error: {message}"));
            write(ErrorCode::Usage, message);
        }
        None => {
            let _ = error.print();
            write(ErrorCode::Usage, without_frame(&error.to_string()));
        }
    }
    Code::Usage.into()
}

/// Detects `tcprove chek`, which clap considers an argument of the default command.
fn unknown_command(error: &clap::Error) -> Option<String> {
    let first = std::env::args().nth(1)?;
    let unknown = error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::InvalidArg) == Some(&ContextValue::String(first.clone()));
    if !unknown || first.starts_with('-') {
        return None;
    }
    let commands = names();
    let near = suggestion(&first, commands.iter().map(String::as_str));
    Some(format!(
        "there is no command `{}`{near}\nthe commands are: {} (`tcprove --help` describes them)",
        first.escape_debug(),
        commands.join(", ")
    ))
}

fn names() -> Vec<String> {
    let cli = super::Cli::command();
    cli.get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

/// The message without clap's prefix and usage, which reports show elsewhere.
fn without_frame(text: &str) -> String {
    let text = text.trim_start_matches("error: ");
    let text = text.split("\n\nUsage:").next().unwrap_or(text);
    let text = text
        .split("\n\nFor more information")
        .next()
        .unwrap_or(text);
    text.trim_end().to_owned()
}

/// Reports an uncaught panic, whose message has already been printed.
pub(super) fn bug() -> ExitCode {
    let message =
        "this is a bug in tcprove: please report it with the lines above and the command line";
    note(&format!("error: {message}"));
    write(ErrorCode::Internal, message.to_owned());
    Code::Bug.into()
}

fn write(code: ErrorCode, message: String) {
    let report = Draft::new(command(), Some(0)).finish(Err(RunError::new(code, message)));
    let output = OutputArgs {
        json: asked("--json"),
        junit: asked("--junit"),
        markdown: asked("--markdown"),
        sarif: asked("--sarif"),
        trace: asked("--trace"),
        html: asked("--html"),
        ..OutputArgs::default()
    };
    output.write(&report);
}

/// The command that the user meant, as far as it can be determined without parsing.
fn command() -> &'static str {
    let first = std::env::args().nth(1).unwrap_or_default();
    let known = [
        "check", "fuzz", "record", "load", "bench", "gate", "history", "replay", "send", "serve",
        "init", "selftest", "merge", "generate",
    ];
    let named = known.into_iter().find(|name| *name == first);
    named.unwrap_or("run")
}

/// The value of a flag, found without clap because its parser has just failed.
fn asked(flag: &str) -> Option<PathBuf> {
    let mut words = std::env::args().take_while(|word| word != "--");
    while let Some(word) = words.next() {
        if word == flag {
            return words.next().map(PathBuf::from);
        }
        if let Some(value) = word
            .strip_prefix(flag)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(PathBuf::from(value));
        }
    }
    None
}
