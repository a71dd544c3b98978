//! `[talk]`: from the file to a [`Talk`].

mod bytes;
mod exchange;
mod expect;
mod frame;
mod message;

use crate::file;
use std::collections::BTreeSet;

use super::read::{Section, Text, Value};
use crate::file::error::template_fault;
use crate::file::{Context, Fault, Read};
use crate::talk::template::{Name, Slot, TemplateError};
use crate::talk::{Close, Exchange, Frame, Opening, Pattern, Talk};
use crate::text::did_you_mean;

pub(crate) const KEYS: &[&str] = &[
    "use",
    "frame",
    "close",
    "close_when",
    "open",
    "turn",
    "bad",
    "slow",
    "push",
];

/// Reads `[talk]`. `server` is the name of the server, if the file describes one.
pub(crate) fn talk(value: &Value<'_>, context: &Context<'_>, server: Option<&str>) -> Read<Talk> {
    let section = Section::new(value, "[talk]", KEYS)?;
    let base = base(&section)?;
    let frames = match (&base, section.get("frame")) {
        (None, Some(value)) => frame::both(value)?,
        (None, None) => {
            let why = "how a message ends, as in { until = \"\\r\\n\" }";
            let fault = section.missing("frame", why);
            return Err(fault.help("where nothing marks the end, write frame = \"none\""));
        }
        (Some(base), None) => (base.request.clone(), base.reply.clone()),
        (Some(base), Some(value)) => {
            let message = format!(
                "`frame` cannot be changed: the turns of `{}` rely on it",
                base.name
            );
            return Err(Fault::new(value.span(), message));
        }
    };
    let named = || server.unwrap_or("custom").to_owned();
    let mut talk = Talk {
        name: base.as_ref().map_or_else(named, |base| base.name.clone()),
        request: frames.0,
        reply: frames.1,
        close: close(&section)?
            .or(base.as_ref().map(|base| base.close))
            .unwrap_or(Close::Client),
        close_when: close_when(&section)?,
        open: Vec::new(),
        turns: Vec::new(),
        bad: Vec::new(),
        slow: Vec::new(),
        push: Vec::new(),
    };
    exchange::all(&section, context, base.as_ref(), &mut talk)?;
    if let Some(base) = base {
        extend(&mut talk, base);
    }
    if talk.turns.is_empty() {
        let fault = section.missing("turn", "at least one exchange has to be described");
        return Err(fault.help("add [[talk.turn]] with `send` and `expect`"));
    }
    Ok(talk)
}

/// The built-in talk that `use` names.
fn base(section: &Section<'_>) -> Read<Option<Talk>> {
    let Some(name) = section.text("use")? else {
        return Ok(None);
    };
    match file::builtin(name.value) {
        Some(file) => Ok(Some(file.talk)),
        None => {
            let names = file::BUILTIN.iter().map(|(name, _, _)| *name);
            let message = format!("there is no built-in talk `{}`", name.value.escape_debug());
            Err(name
                .fault(message)
                .maybe_help(did_you_mean(name.value, names)))
        }
    }
}

/// What the built-in talk has comes after what the file has; an opening of the file's own replaces it.
fn extend(talk: &mut Talk, base: Talk) {
    if talk.open.is_empty() {
        talk.open = base.open;
    }
    talk.close_when = talk.close_when.take().or(base.close_when);
    talk.turns.extend(base.turns);
    talk.bad.extend(base.bad);
    talk.slow.extend(base.slow);
    talk.push.extend(base.push);
}

fn close(section: &Section<'_>) -> Read<Option<Close>> {
    let Some(word) = section.text("close")? else {
        return Ok(None);
    };
    match word.value {
        "client" => Ok(Some(Close::Client)),
        "server-after-reply" => Ok(Some(Close::ServerAfterReply)),
        other => {
            let message = format!("unknown `close`: \"{}\"", other.escape_debug());
            let known = ["client", "server-after-reply"];
            Err(word.fault(message).maybe_help(did_you_mean(other, known)))
        }
    }
}

fn close_when(section: &Section<'_>) -> Read<Option<Pattern>> {
    section
        .get("close_when")
        .map(|value| bytes::pattern(value, "close_when"))
        .transpose()
}

fn bad_template(text: &Text<'_>, error: TemplateError) -> Fault {
    template_fault(text, error.message, error.fragment, error.help)
}

/// Refuses placeholders that nothing can be bound to.
fn known<'a>(
    text: &Text<'_>,
    slots: impl Iterator<Item = &'a Slot>,
    names: &BTreeSet<String>,
) -> Read<()> {
    for slot in slots {
        let Name::Other(name) = &slot.name else {
            continue;
        };
        if names.contains(name) {
            continue;
        }
        let all = ["tok", "payload"]
            .into_iter()
            .chain(names.iter().map(String::as_str));
        let near = did_you_mean(name, all).unwrap_or_default();
        let message = format!("nothing is known for `{slot}`");
        let help = format!("{near} write `{{{{` for a literal brace");
        return Err(template_fault(text, message, slot.to_string(), Some(help)));
    }
    Ok(())
}

/// The openings that are exchanges.
pub(crate) fn opening_exchanges(open: &[Opening]) -> impl Iterator<Item = &Exchange> {
    open.iter().filter_map(|opening| match opening {
        Opening::Exchange(exchange) => Some(exchange),
        Opening::Exec(_) => None,
    })
}

/// The frame of a turn's reply.
fn reply_frame(section: &Section<'_>) -> Read<Option<Frame>> {
    section.get("frame").map(frame::one).transpose()
}

/// Every key the parser takes in [talk], for the test that holds the schema to it.
#[cfg(test)]
pub(crate) fn all_keys() -> Vec<&'static str> {
    let lists = [
        KEYS,
        &["request", "reply"],
        frame::KEYS,
        message::KEYS,
        expect::KEYS,
        exchange::KEYS,
        exchange::PUSH_KEYS,
    ];
    lists.concat()
}
