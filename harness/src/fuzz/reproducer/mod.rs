//! Writes the folder of a finding: the cases as data, and as programs that need only an interpreter or a compiler, so that
//! the bug can be reproduced without tcprove.
//!
//! To add a format: one file with a function that generates the text, one line in [`write()`].

mod conformance;
mod json;
mod python;
mod readme;
mod recipe;
mod rust;
mod template;
#[cfg(test)]
mod tests;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub use recipe::{AnswerPattern, LoginRecipe, PlainStep, PlainTurn, Recipe, ServerRecipe};

use super::case::readable;
use super::{Data, DataPart, Finding, FindingKind, Step};
use crate::text::escape_text;

/// The name of the case file, which `tcprove replay` reads.
const CASE_FILE: &str = "case.json";

/// Writes `case.json`, `README.md` and the programs `reproduce.py` and `reproduce.rs` to `folder/ID/`, and returns that path.
/// There are programs for one server on plain TCP and what a client alone can do.
///
/// The files are first written to a temporary folder, so that a finding is never incomplete, even if tcprove is killed.
///
/// # Errors
/// The folder cannot be written, or the id of the finding is not a valid folder name.
pub fn write(folder: &Path, finding: &Finding, recipe: &Recipe) -> io::Result<PathBuf> {
    if !is_plain(&finding.id) {
        let what = "the id of a finding may contain only letters, digits, `-`, `_` and `.`";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let place = folder.join(&finding.id);
    let mut files = vec![
        (CASE_FILE, json::text(finding), 0o644),
        ("README.md", readme::text(finding, recipe, &place), 0o644),
    ];
    if recipe.transport.is_none() && finding.symptom.kind.has_programs() && !finding.injects() {
        files.push(("reproduce.py", python::text(finding, recipe), 0o755));
        files.push(("reproduce.rs", rust::text(finding, recipe), 0o644));
    }
    fs::create_dir_all(folder)?;
    let made = tempfile::Builder::new()
        .prefix(&format!(".{}-", finding.id))
        .tempdir_in(folder)?;
    for (name, text, mode) in &files {
        let path = made.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
    }
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755))?;
    // Fails if an earlier run wrote the same finding; then its files are replaced one by one.
    if fs::rename(made.path(), &place).is_err() {
        fs::create_dir_all(&place)?;
        for (name, ..) in &files {
            fs::rename(made.path().join(name), place.join(name))?;
        }
    }
    Ok(place)
}

/// Whether the id is a portable folder name.
fn is_plain(id: &str) -> bool {
    let fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    !id.is_empty() && id.len() <= 100 && !id.starts_with('.') && id.chars().all(fine)
}

/// Maximum waits of a reproducer.
struct Waits {
    /// For the first bytes of a reply.
    reply_ms: u64,
    /// For more bytes of the same reply.
    quiet_ms: u64,
    /// For the server's close at the end.
    end_ms: u64,
}

impl Waits {
    /// A leak takes hundreds of runs, and leaked connections are never closed, so the waits are short.
    fn of(kind: FindingKind, recipe: &Recipe) -> Self {
        let reply_ms = recipe.reply_wait_ms;
        match kind {
            FindingKind::Leak => Self {
                reply_ms: reply_ms.min(200),
                quiet_ms: 5,
                end_ms: 20,
            },
            // The CPU time is read after the work has finished, which may take long on a busy machine.
            FindingKind::Complexity => Self {
                reply_ms,
                quiet_ms: 50,
                end_ms: reply_ms.max(COMPLEXITY_END_MS),
            },
            _ => Self {
                reply_ms,
                quiet_ms: 50,
                end_ms: reply_ms,
            },
        }
    }
}

/// The template parts that the cases need besides the client, in order.
fn parts_used(finding: &Finding) -> Vec<&'static str> {
    let steps = || finding.cases.iter().flat_map(|case| &case.steps);
    let any = |wanted: fn(&Step) -> bool| steps().any(wanted);
    let cuts = any(|step| matches!(step, Step::Send(send) if !send.cuts.is_empty()));
    let sends = any(|step| matches!(step, Step::Send(_)));
    let parts = [
        (sends && !cuts, "send"),
        (cuts, "send-cuts"),
        (any(|step| matches!(step, Step::Receive)), "receive"),
        (any(|step| matches!(step, Step::DelayMs(_))), "delay-ms"),
        (any(|step| matches!(step, Step::Reset)), "reset"),
        (any(|step| matches!(step, Step::Close)), "close"),
        (any(|step| matches!(step, Step::Switch(_))), "switch"),
        (any(|step| matches!(step, Step::Login(_))), "login"),
    ];
    let used = parts.into_iter().filter(|(used, _)| *used);
    used.map(|(_, name)| name).collect()
}

/// Whether the program logs in: in its cases, or in the plain conversation.
fn logs_in(finding: &Finding, recipe: &Recipe) -> bool {
    let plain = matches!(
        finding.symptom.kind,
        FindingKind::Hang | FindingKind::Starvation
    );
    !recipe.logins.is_empty() && (plain || parts_used(finding).contains(&"login"))
}

/// Minimum wait for the end of a connection of a complexity finding, in milliseconds.
const COMPLEXITY_END_MS: u64 = 5_000;

/// What the reproducer of a complexity finding enlarges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scaled {
    /// Nothing: the finding is of another kind.
    No,
    /// The repetitions of the case.
    Repeats,
    /// Runs of one byte, if the case has no repetitions.
    Runs,
    /// The whole data, if it has no such runs either.
    Whole,
}

impl Scaled {
    fn of(finding: &Finding) -> Self {
        let all = || finding.cases.iter().flat_map(|case| case.sends());
        let repeats = |parts: &[DataPart]| {
            parts
                .iter()
                .any(|part| matches!(part, DataPart::Repeat { .. }))
        };
        match finding.symptom.kind {
            FindingKind::Complexity if all().any(|send| repeats(send.data.parts())) => {
                Self::Repeats
            }
            FindingKind::Complexity if all().any(|send| repeats(&readable(&send.data))) => {
                Self::Runs
            }
            FindingKind::Complexity => Self::Whole,
            _ => Self::No,
        }
    }

    /// The parts to write; repetitions are enlarged.
    fn parts(self, data: &Data) -> Vec<DataPart> {
        match self {
            Self::No | Self::Runs => readable(data),
            Self::Repeats => data.parts().to_vec(),
            Self::Whole => vec![DataPart::Repeat {
                unit: data.to_bytes(),
                count: 1,
            }],
        }
    }
}

/// Text for a comment: it contains no line end and no terminal control characters.
fn one_line(text: &str) -> String {
    escape_text(text, 200)
}
