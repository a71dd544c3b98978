//! What a finding leaves in its folder: the case as data, and the same as programs that need nothing but an
//! interpreter or a compiler, so that a bug can be shown where tcprove is not.
//!
//! To add a form: one file with a function that makes its text, one line in [`write()`].

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

pub use recipe::{AnswerPattern, PlainTurn, Recipe, ServerRecipe};

use super::case::readable;
use super::{Data, Finding, FindingKind, Part, Step};
use crate::text::escape_text;

/// The case as data, read by `tcprove replay`.
pub const CASE_FILE: &str = "case.json";

/// Writes `folder/ID/` with `case.json`, `reproduce.py`, `reproduce.rs` and `README.md`, and says where.
///
/// The files are made in a folder beside it first: whoever ends tcprove at any moment finds a whole
/// finding or none.
///
/// # Errors
/// The folder cannot be written, or the finding's id is no name for a folder.
pub fn write(folder: &Path, finding: &Finding, recipe: &Recipe) -> io::Result<PathBuf> {
    if !is_plain(&finding.id) {
        let what = "the id of a finding has letters, digits, `-`, `_` and `.` only";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let place = folder.join(&finding.id);
    let files = [
        (CASE_FILE, json::text(finding), 0o644),
        ("reproduce.py", python::text(finding, recipe), 0o755),
        ("reproduce.rs", rust::text(finding, recipe), 0o644),
        ("README.md", readme::text(finding, recipe, &place), 0o644),
    ];
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
    // Fails where a finding of an earlier run is in the way: then its files are replaced one by one.
    if fs::rename(made.path(), &place).is_err() {
        fs::create_dir_all(&place)?;
        for (name, ..) in &files {
            fs::rename(made.path().join(name), place.join(name))?;
        }
    }
    Ok(place)
}

/// Whether it can be the name of a folder, anywhere.
fn is_plain(id: &str) -> bool {
    let fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    !id.is_empty() && id.len() <= 100 && !id.starts_with('.') && id.chars().all(fine)
}

/// How long something is waited for.
struct Waits {
    /// For a reply, and for more of it.
    reply_ms: u64,
    /// More of a reply comes within this, or not at all.
    quiet_ms: u64,
    /// For the server's close at the end.
    end_ms: u64,
}

impl Waits {
    /// A leak takes hundreds of repetitions, and a connection that was leaked is never closed: there nobody
    /// waits for long.
    fn of(kind: FindingKind, recipe: &Recipe) -> Self {
        let reply_ms = recipe.reply_wait_ms;
        match kind {
            FindingKind::Leak => Self {
                reply_ms: reply_ms.min(200),
                quiet_ms: 5,
                end_ms: 20,
            },
            // The end of the work is what its CPU time is read at: a busy machine may take long to come to it.
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

/// Names of the parts of a template that the cases need besides the client itself, in order.
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
    ];
    let used = parts.into_iter().filter(|(used, _)| *used);
    used.map(|(_, name)| name).collect()
}

/// See [`Waits::of`].
const COMPLEXITY_END_MS: u64 = 5_000;

/// What grows where the work of a server is looked at while its input does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scaled {
    /// Nothing: the bytes are sent as they are.
    No,
    /// The repetitions of the case.
    Repeats,
    /// It has none: what looks like one.
    Runs,
    /// There is nothing like one: all that is sent.
    Whole,
}

impl Scaled {
    fn of(finding: &Finding) -> Self {
        let all = || finding.cases.iter().flat_map(|case| case.sends());
        let repeats = |parts: &[Part]| parts.iter().any(|part| matches!(part, Part::Repeat { .. }));
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

    /// The parts that some bytes are written as; repetitions are what is scaled.
    fn parts(self, data: &Data) -> Vec<Part> {
        match self {
            Self::No | Self::Runs => readable(data),
            Self::Repeats => data.parts().to_vec(),
            Self::Whole => vec![Part::Repeat {
                unit: data.to_bytes(),
                count: 1,
            }],
        }
    }
}

/// Text for a comment: nothing in it ends the line, or acts on a terminal.
fn one_line(text: &str) -> String {
    escape_text(text, 200)
}
