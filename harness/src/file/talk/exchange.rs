//! `[[talk.open]]`, `[[talk.turn]]`, `[[talk.bad]]`, `[[talk.slow]]`, `[[talk.push]]`

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::PatternValue;
use super::expect::ExpectValue;
use super::frame::FrameValue;
use super::message::PartValue;
use super::mistakes;
use crate::file::value::{At, OneOrMore, Tables, Text};
use crate::file::{Context, Read, line_and_column};
use crate::talk::frame::{Frame, Several};
use crate::talk::template::Name;
use crate::talk::{Exchange, Message, Order, Pattern, Push};

/// A request and its reply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeTable {
    /// What is sent. Only in [[talk.open]] it may be absent: there the server can speak first.
    send: Option<At<OneOrMore<At<PartValue>>>>,
    /// The bytes before the length of the request, if not those of the frame: its type. As `send`, with placeholders.
    head: Option<At<OneOrMore<At<PartValue>>>>,
    /// What has to come back: every reply is compared with something. A list: one part after the other.
    expect: At<OneOrMore<At<ExpectValue>>>,
    /// How this reply ends, if not as [talk] says.
    frame: Option<At<FrameValue>>,
    /// The reply consists of several frames.
    frames: Option<At<FramesTable>>,
    /// A name for `after` of other turns.
    pub(super) name: Option<Text>,
    /// The name of the turn that the same connection has to carry before, or a list.
    pub(super) after: Option<OneOrMore<Text>>,
    /// A connection carries it at most once.
    once: Option<At<bool>>,
    /// The server closes the connection after it.
    last: Option<At<bool>>,
}

/// A reply of several frames.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FramesTable {
    /// The last frame: how it begins, header included, or a regex that matches in it.
    until: PatternValue,
}

/// What the server may send unasked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PushTable {
    /// The message that the server may send unasked.
    r#match: PatternValue,
    /// How this message ends, if not as replies do.
    frame: Option<At<FrameValue>>,
    /// The answer, if one is due.
    reply: Option<At<OneOrMore<At<PartValue>>>>,
    /// The bytes before the length of the answer, if not those of the frame.
    head: Option<At<OneOrMore<At<PartValue>>>>,
}

/// The frames of [talk].
pub(super) struct Frames<'a> {
    pub(super) request: &'a Frame,
    pub(super) reply: &'a Frame,
}

impl Tables<ExchangeTable> {
    /// The exchanges `talk.KEY`. Each may use what the ones before it have bound: `names` grows. With `after` it may also
    /// use what turns have bound.
    pub(super) fn exchanges(
        self,
        key: &str,
        frames: &Frames<'_>,
        context: &Context<'_>,
        names: &mut BTreeSet<String>,
        of_turns: &BTreeSet<String>,
    ) -> Read<Vec<Exchange>> {
        let mut exchanges = Vec::new();
        for (index, table) in self.0.into_iter().enumerate() {
            if table.value.send.is_none() && key != "open" {
                let message = format!("[[talk.{key}]] has no `send`: it begins with a request");
                let help = "a greeting, where the server speaks first, is [[talk.open]]";
                return Err(table.fault(message).help(help));
            }
            table.value.fits(key)?;
            let expect = table.value.expect.place();
            let send = table.value.send.as_ref().map(At::place);
            let label = format!("talk.{key}[{index}]");
            let exchange = match table.value.after {
                Some(_) => {
                    let names = &*names | of_turns;
                    table.exchange(label, frames, context, &names)?
                }
                None => table.exchange(label, frames, context, names)?,
            };
            if let (Some(send), Some(message), true) = (&send, &exchange.send, key != "bad") {
                mistakes::has_end(send, message, frames.request)?;
            }
            if send.is_none() && !exchange.expect.has_reply() {
                let message = "nothing is sent and nothing expected in this step";
                return Err(expect.fault(message).help("remove it, or add `send`"));
            }
            let groups = exchange.expect.groups();
            let reserved = |group: &&String| Name::KNOWN.contains(&group.as_str());
            if let Some(group) = groups.iter().find(reserved) {
                let message = format!(
                    "a group cannot be called `{group}`: {{{group}}} has a meaning of its own"
                );
                return Err(expect.fault(message).fragment(format!("<{group}>")));
            }
            names.extend(groups);
            exchanges.push(exchange);
        }
        Ok(exchanges)
    }
}

impl ExchangeTable {
    /// Whether its keys have a meaning in `[[talk.KEY]]`.
    fn fits(&self, key: &str) -> Read<()> {
        let any = ["turn", "bad", "slow"];
        let after = self.after.as_ref().and_then(|after| after.0.first());
        stray("name", self.name.as_ref().map(At::place), key, &any[..1])?;
        stray("after", after.map(At::place), key, &any)?;
        stray("once", self.once.as_ref().map(At::place), key, &any[..1])?;
        stray("last", self.last.as_ref().map(At::place), key, &any)
    }
}

/// The fault of a key at `place` that only has a meaning in `keys`.
fn stray(name: &str, place: Option<At<()>>, key: &str, keys: &[&str]) -> Read<()> {
    match place.filter(|_| !keys.contains(&key)) {
        None => Ok(()),
        Some(place) => {
            let fault = place.fault(format!("`{name}` has no meaning in [[talk.{key}]]"));
            Err(fault.help(format!(
                "it belongs to [[talk.{}]]",
                keys.join("]], [[talk.")
            )))
        }
    }
}

impl At<ExchangeTable> {
    fn exchange(
        self,
        label: String,
        frames: &Frames<'_>,
        context: &Context<'_>,
        names: &BTreeSet<String>,
    ) -> Read<Exchange> {
        let table = self.value;
        let send = match (table.send, table.head) {
            (Some(send), head) => Some(message(send, head, frames, context, names)?),
            (None, Some(head)) => return Err(head.fault("`head` belongs to a request: add `send`")),
            (None, None) => None,
        };
        let own = table.frame.map(|frame| frame.frame(context)).transpose()?;
        let frame = match table.frames {
            Some(several) => Some(several.frame(own.as_ref().unwrap_or(frames.reply), context)?),
            None => own,
        };
        Ok(Exchange {
            send,
            expect: table.expect.expect(context, names)?,
            frame,
            opens: label.starts_with("talk.open"),
            name: table.name.map(|name| name.value),
            order: Order {
                after: match table.after {
                    Some(OneOrMore(names)) => names.into_iter().map(|name| name.value).collect(),
                    None => Vec::new(),
                },
                once: table.once.is_some_and(|once| once.value),
                last: table.last.is_some_and(|last| last.value),
            },
            label,
            line: line_and_column(context.source, self.start).0,
        })
    }
}

/// A request with its head.
fn message(
    send: At<OneOrMore<At<PartValue>>>,
    head: Option<At<OneOrMore<At<PartValue>>>>,
    frames: &Frames<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
) -> Read<Message> {
    let mut message = send.value.message(context, names)?;
    if let Some(head) = head {
        let (place, head) = head.split();
        if message.raw {
            let help = "write the whole request in `raw`, or all of it without";
            return Err(place
                .fault("`raw` is sent without a header, so `head` has no place")
                .help(help));
        }
        let parts = head.parts(context, names)?;
        mistakes::head_fits(&place, &parts, frames.request)?;
        message.head = Some(parts);
    }
    Ok(message)
}

impl At<FramesTable> {
    fn frame(self, each: &Frame, context: &Context<'_>) -> Read<Frame> {
        let (place, table) = self.split();
        if !each.is_delimited() {
            let message = format!(
                "`frames`: nothing marks the end of each (frame: {})",
                each.describe()
            );
            return Err(place.fault(message).help("give this exchange a `frame`"));
        }
        Ok(Frame::Several(Box::new(Several {
            each: each.clone(),
            last: table.until.beginning(context)?,
        })))
    }
}

impl Tables<PushTable> {
    pub(super) fn pushes(
        self,
        frames: &Frames<'_>,
        context: &Context<'_>,
        names: &BTreeSet<String>,
    ) -> Read<Vec<Push>> {
        let pushes = self.0.into_iter().enumerate();
        pushes
            .map(|(index, table)| {
                let (place, table) = table.split();
                let matches = table.r#match.pattern(context)?;
                let mut names = names.clone();
                names.extend(matches.group_names());
                let names = &names;
                let own = table.frame.map(|frame| frame.frame(context)).transpose()?;
                let frame = match (own, &matches) {
                    (None, Pattern::Exact(exact)) if !frames.reply.is_delimited() => {
                        Some(Frame::Fixed(exact.len()))
                    }
                    (own, _) => own,
                };
                if !frame.as_ref().unwrap_or(frames.reply).is_delimited() {
                    let message =
                        "[[talk.push]] needs a `frame`: nothing marks the end of this message";
                    return Err(place
                        .fault(message)
                        .help("as in frame = { until = \"\\n\" }"));
                }
                let reply = match (table.reply, table.head) {
                    (Some(reply), head) => Some(message(reply, head, frames, context, names)?),
                    (None, Some(head)) => {
                        return Err(head.fault("`head` belongs to an answer: add `reply`"));
                    }
                    (None, None) => None,
                };
                Ok(Push {
                    label: format!("talk.push[{index}]"),
                    matches,
                    frame,
                    reply,
                })
            })
            .collect()
    }
}
