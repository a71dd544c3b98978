//! `tcprove init --learn`: learns the limits of a server, and adds them to the text of its file.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::interrupt;
use super::rehearse::rehearsal_error;
use super::target::{PreparedTarget, supervised};
use crate::file;
use crate::report::RunError;
use crate::subject::{
    Origin, Place, Promise, Rehearsal, Subject, Unasked, grouped, learn, rehearse,
};
use crate::talk::Talk;
use crate::text::escape_text;

/// How long an idle connection is watched at least.
const IDLE: Duration = Duration::from_secs(3);
/// Maximum length of what a server says in a comment, in characters.
const SAID_CHARS: usize = 160;

/// A file with what was learned.
pub(super) struct LearnedFile {
    /// The text of the file.
    pub(super) text: String,
    /// What was learned, a phrase each.
    pub(super) phrases: Vec<String>,
}

/// Learns the server of the file with this text, or the running one, and adds what it found to the text. Relative paths in
/// the text start at `folder`.
pub(super) fn learned(
    text: &str,
    folder: &Path,
    running: Option<Origin>,
    seed: u64,
) -> Result<LearnedFile, RunError> {
    let file = file::parse(text, "the new file", folder)
        .map_err(|error| RunError::internal(error.to_string()))?;
    let origin = match (running, &file.server) {
        (Some(running), _) => running,
        (None, Some(server)) => Origin::Spawn(Box::new(supervised(server.clone())?)),
        (None, None) => {
            return Err(RunError::usage(
                "--learn needs a server: add `-- COMMAND ARG... {port}` or --connect HOST:PORT"
                    .to_owned(),
            ));
        }
    };
    let name = file.name.clone();
    let interrupt = interrupt::watch()?;
    let resolved = PreparedTarget::new(file, origin, name, seed, false);
    let failed = |error| rehearsal_error(&error, &resolved);
    let mut rehearsal = rehearse(&resolved.subject, &interrupt).map_err(failed)?;
    learn(&resolved.subject, &mut rehearsal, IDLE, &interrupt).map_err(failed)?;
    Ok(LearnedFile {
        text: with_lessons(text, &rehearsal, &resolved.subject),
        phrases: phrases(&rehearsal),
    })
}

fn phrases(rehearsal: &Rehearsal) -> Vec<String> {
    let once = rehearsal.runs_once.iter();
    let once = once.map(|how| format!("runs only once at a time: of a second instance, {how}"));
    let limits = rehearsal.limits.phrases().into_iter();
    let places = rehearsal.order.iter().map(Place::phrase);
    let unasked = rehearsal.unasked.as_ref().map(Unasked::phrase);
    let phrases: Vec<String> = limits.chain(once).chain(places).chain(unasked).collect();
    match phrases.is_empty() {
        false => phrases,
        true => vec![not_met(rehearsal).unwrap_or_else(|| "no limit".to_owned())],
    }
}

/// The text with what was learned: `singleton` in its `[server]`, the others in a section of their own.
fn with_lessons(text: &str, rehearsal: &Rehearsal, subject: &Subject) -> String {
    let mut section = section(rehearsal, &subject.promise);
    if let Some(unasked) = &rehearsal.unasked {
        section.push_str(&push(unasked, &subject.talk));
    }
    let text = file::with_section(text, section.trim_end());
    let Some(how) = &rehearsal.runs_once else {
        return text;
    };
    let how = escape_text(how, SAID_CHARS);
    let server = "[server]\n";
    let once = format!(
        "{server}# Learned: a second instance does not run beside the first ({how}).\nsingleton = true\n"
    );
    text.replacen(server, &once, 1)
}

/// A message that came without a request: declared if its bytes can be written, or else in a comment.
fn push(unasked: &Unasked, talk: &Talk) -> String {
    let phrase = escape_text(&unasked.phrase(), SAID_CHARS);
    match unasked.one_message(talk) {
        Some(text) => format!("\n# Learned: it {phrase}.\n[[talk.push]]\nmatch = {text}\n"),
        None => format!("# It {phrase}.\n"),
    }
}

/// The section `[limits]`.
fn section(rehearsal: &Rehearsal, promise: &Promise) -> String {
    let limits = &rehearsal.limits;
    let mut text = format!(
        "# What `tcprove init --learn` saw within {:.1} s, on a server of its own. Checks, campaigns and loads stay within\n\
         # these limits, and `limits-hold` fails if the server accepts less.\n",
        rehearsal.took.as_secs_f64()
    );
    let header = text.len();
    let mut add = |key: &str, value: String, seen: String, pin: Option<String>| {
        let pin = pin.map_or(String::new(), |pin| {
            format!(" `{pin}` in [promise] is checked more strictly.")
        });
        let _ = writeln!(text, "# {seen}.{pin}\n{key} = {value}");
    };
    let numbers = [
        (
            "connections",
            &limits.connections,
            "Connection",
            "max_connections",
        ),
        (
            "requests_per_connection",
            &limits.requests_per_connection,
            "Request",
            "",
        ),
        (
            "message_bytes",
            &limits.message_bytes,
            "A request of",
            "max_message",
        ),
    ];
    for (key, limit, one, promised) in numbers {
        let Some((limit, then)) = limit
            .as_ref()
            .and_then(|limit| Some((limit, limit.then.as_ref()?)))
        else {
            continue;
        };
        let next = grouped(limit.accepts + 1);
        let unit = if key == "message_bytes" { " bytes" } else { "" };
        let seen = format!("{one} {next}{unit}: {}", escape_text(then, SAID_CHARS));
        let open = match promised {
            "max_connections" => promise.max_connections.is_none(),
            "max_message" => promise.max_message.is_none(),
            _ => false,
        };
        let pin = open.then(|| format!("{promised} = {}", limit.accepts));
        add(key, limit.accepts.to_string(), seen, pin);
    }
    if let Some(seconds) = limits.idle_close_s {
        let pin = promise.idle_timeout.is_none();
        let pin = pin.then(|| format!("idle_timeout = \"{seconds:.1}s\""));
        let seen = "An idle connection was closed after this time".to_owned();
        add("idle_close", format!("\"{seconds:.1}s\""), seen, pin);
    }
    if text.len() > header {
        text.insert_str(header, "[limits]\n");
    }
    if let Some(not_met) = not_met(rehearsal) {
        let _ = writeln!(text, "# {not_met}.");
    }
    for place in &rehearsal.order {
        let phrase = escape_text(&place.phrase(), SAID_CHARS);
        let _ = writeln!(
            text,
            "# Order: {phrase}; `name`, `after`, `once` and `last` of a turn state it."
        );
    }
    text
}

/// How much was tried without meeting a limit.
fn not_met(rehearsal: &Rehearsal) -> Option<String> {
    let (limits, tried) = (&rehearsal.limits, &rehearsal.tried);
    let mut parts = Vec::new();
    if limits.connections.is_none() && tried.connections > 0 {
        parts.push(format!(
            "{} connections at the same time",
            grouped(tried.connections)
        ));
    }
    if limits.requests_per_connection.is_none() && tried.requests_per_connection > 0 {
        parts.push(format!(
            "{} requests on a connection",
            grouped(tried.requests_per_connection)
        ));
    }
    if limits.message_bytes.is_none() && tried.message_bytes > 0 {
        parts.push(format!(
            "requests of {} bytes",
            grouped(tried.message_bytes)
        ));
    }
    (!parts.is_empty()).then(|| format!("No limit was met up to {}", parts.join(", ")))
}
