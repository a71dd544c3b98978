//! Reads what `tcprove record` has stored, for `tcprove init --from-recording`.

use std::path::{Path, PathBuf};

use crate::detect::{Conversation, Recording};
use crate::fuzz::{CaseFile, Step};
use crate::report::RunError;
use crate::text::escape_text;

/// The sessions in this folder, or in this file.
///
/// # Errors
/// It cannot be read, or contains no session with replies.
pub(super) fn read(path: &Path) -> Result<Recording, RunError> {
    let cannot = |error: std::io::Error| {
        RunError::usage(format!(
            "--from-recording {} cannot be read: {error}",
            shown(path)
        ))
    };
    let files = match path.is_dir() {
        true => files(path).map_err(cannot)?,
        false => vec![path.to_owned()],
    };
    let mut sessions = Vec::new();
    let mut without = None;
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(cannot)?;
        let parsed = CaseFile::parse(&text).map_err(|error| {
            RunError::usage(format!("{} is not a recording: {error}", shown(&file)))
        })?;
        match conversation(&parsed) {
            Some(session) => sessions.push(session),
            None => without = Some(file),
        }
    }
    if sessions.is_empty() {
        let what = match without {
            Some(file) => format!(
                "{} does not say which reply belongs to which request",
                shown(&file)
            ),
            None => format!("{} contains no recorded session", shown(path)),
        };
        return Err(RunError::usage(format!(
            "{what}\nnext: record one with `tcprove record --listen 127.0.0.1:9001 --upstream HOST:PORT --out {}`, and let \
             a client use the server through port 9001",
            shown(path)
        )));
    }
    Ok(Recording { sessions })
}

/// The recorded sessions of a folder, in the order of their names: other cases lie beside them.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("recorded-") && name.ends_with(".json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What was said in a case; `None` if its replies are missing or incomplete.
fn conversation(file: &CaseFile) -> Option<Conversation> {
    let recorded = file.recorded.as_ref()?;
    let [case] = file.cases.as_slice() else {
        return None;
    };
    let sends: Vec<Vec<u8>> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Send(send) => Some(send.data.to_bytes()),
            _ => None,
        })
        .collect();
    let replies = recorded.replies.to_bytes();
    let (greeting, counts) = recorded.counts.split_first()?;
    if counts.len() != sends.len() || counts.iter().sum::<usize>() + greeting != replies.len() {
        return None;
    }
    let (greeting, mut rest) = replies.split_at_checked(*greeting)?;
    let mut rounds = Vec::new();
    for (sent, count) in sends.into_iter().zip(counts) {
        let (got, after) = rest.split_at_checked(*count)?;
        rounds.push((sent, got.to_vec()));
        rest = after;
    }
    Some(Conversation {
        greeting: greeting.to_vec(),
        rounds,
    })
}

fn shown(path: &Path) -> String {
    escape_text(&path.display().to_string(), 400)
}
