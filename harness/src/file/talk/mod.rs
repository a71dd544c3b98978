//! `[talk]`: from the file to a [`Talk`].

mod bytes;
mod exchange;
mod expect;
mod frame;
mod len;
mod message;
mod mistakes;
mod opening;
mod order;

use std::collections::BTreeSet;

use bytes::PatternValue;
use exchange::{ExchangeTable, Frames, PushTable};
use frame::FrameValue;
use opening::OpeningTable;
use order::Stated;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;

use super::value::{At, BothWays, Tables, Text};
use super::{BUILTIN, Context, Read, builtin};
use crate::talk::template::{Name, Slot};
use crate::talk::{Close, Opening, Talk};
use crate::text::did_you_mean;

/// The conversation: how messages end, and the exchanges.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TalkTable {
    /// A built-in talk to start from. The exchanges of this file come first.
    r#use: Option<Text>,
    /// How a message ends, for both ways or as { request = ..., reply = ... }.
    frame: Option<At<BothWays<At<FrameValue>>>>,
    /// Who closes a connection. Default: "client".
    close: Option<CloseValue>,
    /// A reply that matches announces that the server closes the connection.
    close_when: Option<PatternValue>,
    /// Steps at the begin of each connection: greeting, login.
    #[serde(default)]
    open: Tables<OpeningTable>,
    /// The exchanges, at least one. The first is the plain one.
    #[serde(default)]
    #[schemars(transform = send_required)]
    turn: Tables<ExchangeTable>,
    /// Requests that the server must refuse, and how.
    #[serde(default)]
    #[schemars(transform = send_required)]
    bad: Tables<ExchangeTable>,
    /// Exchanges that the server takes a while to answer: it is asked to stop meanwhile.
    #[serde(default)]
    #[schemars(transform = send_required)]
    slow: Tables<ExchangeTable>,
    /// Messages that the server may send unasked, and the answers that are due.
    #[serde(default)]
    push: Tables<PushTable>,
}

fn send_required(schema: &mut Schema) {
    if let Some(items) = schema
        .get_mut("items")
        .and_then(|items| items.as_object_mut())
    {
        items.insert("required".to_owned(), json!(["send"]));
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    expecting = "\"client\" or \"server-after-reply\""
)]
enum CloseValue {
    Client,
    ServerAfterReply,
}

impl At<TalkTable> {
    /// The conversation. `server` is the name of the server, if the file describes one.
    pub(super) fn talk(self, context: &Context<'_>, server: Option<&str>) -> Read<Talk> {
        let (at, table) = self.split();
        let base = base(table.r#use.as_ref())?;
        let (request, reply) = match (&base, table.frame) {
            (None, Some(frame)) => frame.value.frames(context)?,
            (Some(base), None) => (base.request.clone(), base.reply.clone()),
            (Some(base), Some(frame)) => {
                let turns = &base.name;
                return Err(frame.fault(format!(
                    "`frame` cannot be changed: the turns of `{turns}` rely on it"
                )));
            }
            (None, None) => {
                return Err(at
                    .fault(
                        "[talk] has no `frame`: how a message ends, as in { until = \"\\r\\n\" }",
                    )
                    .help("where nothing marks the end, write frame = \"none\""));
            }
        };
        let close = table.close.map(|close| match close {
            CloseValue::Client => Close::Client,
            CloseValue::ServerAfterReply => Close::ServerAfterReply,
        });
        let mut names = context.names.clone();
        let frames = Frames {
            request: &request,
            reply: &reply,
        };
        let stated = [
            Stated::of("turn", &table.turn),
            Stated::of("bad", &table.bad),
            Stated::of("slow", &table.slow),
        ];
        let none = BTreeSet::new();
        let open = table.open.openings(&frames, context, &mut names)?;
        if let Some(base) = base.as_ref().filter(|_| open.is_empty()) {
            names.extend(bound_by(&base.open));
        }
        let mut of_turns = names.clone();
        let turns = table
            .turn
            .exchanges("turn", &frames, context, &mut of_turns, &none)?;
        let read = |tables: Tables<ExchangeTable>, key| {
            tables.exchanges(key, &frames, context, &mut names.clone(), &of_turns)
        };
        let mut talk = Talk {
            name: server.unwrap_or("custom").to_owned(),
            turns,
            bad: read(table.bad, "bad")?,
            slow: read(table.slow, "slow")?,
            push: table.push.pushes(&frames, context, &names)?,
            request,
            reply,
            close: close.unwrap_or(Close::Client),
            close_when: match table.close_when {
                Some(pattern) => Some(pattern.pattern(context)?),
                None => None,
            },
            open,
        };
        if let Some(base) = base {
            talk.close = close.map_or(base.close, |_| talk.close);
            extend(&mut talk, base);
        }
        if talk.turns.is_empty() {
            return Err(at
                .fault("[talk] has no `turn`: at least one exchange has to be described")
                .help("add [[talk.turn]] with `send` and `expect`"));
        }
        for stated in stated {
            stated.check(&talk)?;
        }
        Ok(talk)
    }
}

/// The built-in talk that `use` names.
fn base(name: Option<&Text>) -> Read<Option<Talk>> {
    let Some(name) = name else {
        return Ok(None);
    };
    match builtin(&name.value) {
        Some(file) => Ok(Some(file.talk)),
        None => {
            let names = BUILTIN.iter().map(|(name, _, _)| *name);
            let message = format!("there is no built-in talk `{}`", name.value.escape_debug());
            Err(name
                .fault(message)
                .maybe_help(did_you_mean(&name.value, names)))
        }
    }
}

/// What the built-in talk has comes after what the file has. Openings of the file replace its openings.
fn extend(talk: &mut Talk, base: Talk) {
    talk.name = base.name;
    if talk.open.is_empty() {
        talk.open = base.open;
    }
    talk.close_when = talk.close_when.take().or(base.close_when);
    talk.turns.extend(base.turns);
    talk.bad.extend(base.bad);
    talk.slow.extend(base.slow);
    talk.push.extend(base.push);
}

/// The names that openings bind.
fn bound_by(open: &[Opening]) -> impl Iterator<Item = String> {
    open.iter().flat_map(|opening| match opening {
        Opening::Exchange(exchange) => exchange.expect.groups(),
        Opening::Exec(_) | Opening::StartTls => Vec::new(),
    })
}

/// A placeholder that nothing gives a value is a fault.
fn known<'a>(
    text: &Text,
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
        let all = Name::KNOWN
            .into_iter()
            .chain(names.iter().map(String::as_str));
        let near = did_you_mean(name, all).unwrap_or_default();
        let fault = text.fault(format!("`{slot}` has no value"));
        return Err(fault
            .fragment(slot.to_string())
            .help(format!("{near} Write `{{{{` for a literal brace.")));
    }
    Ok(())
}
