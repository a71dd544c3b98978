//! `[[talk.open]]`, `[[talk.turn]]`, `[[talk.bad]]`, `[[talk.slow]]`, `[[talk.push]]`

use std::collections::BTreeSet;

use super::super::read::Section;
use super::{bytes, expect, message, opening_exchanges, reply_frame};
use crate::file::{Context, Read, line_and_column};
use crate::talk::{Exchange, Opening, Push, Talk};

/// Keys of an exchange.
pub(crate) const KEYS: &[&str] = &["send", "expect", "frame"];

/// Keys of a push.
pub(crate) const PUSH_KEYS: &[&str] = &["match", "reply"];

/// Reads all exchanges into `talk`. `base` is the built-in talk it uses, if any: its openings bind
/// names too.
pub(super) fn all(
    section: &Section<'_>,
    context: &Context<'_>,
    base: Option<&Talk>,
    talk: &mut Talk,
) -> Read<()> {
    let mut names = context.names.clone();
    for (index, table) in section
        .sections("open", "talk.open", KEYS)?
        .iter()
        .enumerate()
    {
        let opening = opening(table, context, &names, index)?;
        if let Opening::Exchange(exchange) = &opening {
            names.extend(exchange.expect.groups());
        }
        talk.open.push(opening);
    }
    if let Some(base) = base.filter(|_| talk.open.is_empty()) {
        names.extend(opening_exchanges(&base.open).flat_map(|exchange| exchange.expect.groups()));
    }
    talk.turns = list(section, "turn", context, names.clone())?;
    talk.bad = list(section, "bad", context, names.clone())?;
    talk.slow = list(section, "slow", context, names.clone())?;
    for (index, table) in section
        .sections("push", "talk.push", PUSH_KEYS)?
        .iter()
        .enumerate()
    {
        talk.push.push(push(table, context, &names, index)?);
    }
    Ok(())
}

/// One list of exchanges; each may use what the ones before it have bound.
fn list(
    section: &Section<'_>,
    key: &str,
    context: &Context<'_>,
    mut names: BTreeSet<String>,
) -> Read<Vec<Exchange>> {
    let mut exchanges = Vec::new();
    let tables = section.sections(key, &format!("talk.{key}"), KEYS)?;
    for (index, table) in tables.iter().enumerate() {
        let label = format!("talk.{key}[{index}]");
        let exchange = exchange(table, context, &names, label)?;
        if exchange.send.is_none() {
            let fault = table.missing("send", "it begins with a request");
            return Err(fault.help("a greeting, where the server speaks first, is [[talk.open]]"));
        }
        names.extend(exchange.expect.groups());
        exchanges.push(exchange);
    }
    Ok(exchanges)
}

fn opening(
    table: &Section<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
    index: usize,
) -> Read<Opening> {
    let label = format!("talk.open[{index}]");
    exchange(table, context, names, label).map(Opening::Exchange)
}

fn exchange(
    table: &Section<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
    label: String,
) -> Read<Exchange> {
    let send = table
        .get("send")
        .map(|value| message::message(value, context, names))
        .transpose()?;
    let Some(expected) = table.get("expect") else {
        return Err(table.missing("expect", "every reply is compared with something"));
    };
    Ok(Exchange {
        label,
        send,
        expect: expect::expect(expected, names)?,
        frame: reply_frame(table)?,
        line: line_and_column(context.source, table.span().start).0,
    })
}

fn push(
    table: &Section<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
    index: usize,
) -> Read<Push> {
    let Some(matches) = table.get("match") else {
        return Err(table.missing("match", "what the server sends unasked"));
    };
    let reply = table
        .get("reply")
        .map(|value| message::message(value, context, names))
        .transpose()?;
    Ok(Push {
        label: format!("talk.push[{index}]"),
        matches: bytes::pattern(matches, "match")?,
        reply,
    })
}
