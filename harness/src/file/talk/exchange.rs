//! `[[talk.open]]`, `[[talk.turn]]`, `[[talk.bad]]`, `[[talk.slow]]`, `[[talk.push]]`

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::PatternValue;
use super::expect::ExpectValue;
use super::frame::FrameValue;
use super::message::PartValue;
use crate::file::value::{At, OneOrMore, Tables};
use crate::file::{Context, Read, line_and_column};
use crate::talk::{Exchange, Push};

/// A request and its reply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeTable {
    /// What is sent. Only in [[talk.open]] it may be absent: there the server can speak first.
    send: Option<OneOrMore<At<PartValue>>>,
    /// What has to come back: every reply is compared with something.
    expect: At<ExpectValue>,
    /// How this reply ends, if not as [talk] says.
    frame: Option<At<FrameValue>>,
    /// Only in [[talk.open]]: after this exchange the connection switches to TLS (STARTTLS).
    #[serde(default)]
    pub(super) starttls: bool,
}

/// What the server may send unasked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PushTable {
    /// The message that the server may send unasked.
    r#match: PatternValue,
    /// The answer, if one is due.
    reply: Option<OneOrMore<At<PartValue>>>,
}

impl Tables<ExchangeTable> {
    /// The exchanges `talk.KEY`. Each may use what the ones before it have bound: `names` grows.
    pub(super) fn exchanges(
        self,
        key: &str,
        context: &Context<'_>,
        names: &mut BTreeSet<String>,
    ) -> Read<Vec<Exchange>> {
        let mut exchanges = Vec::new();
        for (index, table) in self.0.into_iter().enumerate() {
            if table.value.send.is_none() && key != "open" {
                let message = format!("[[talk.{key}]] has no `send`: it begins with a request");
                let help = "a greeting, where the server speaks first, is [[talk.open]]";
                return Err(table.fault(message).help(help));
            }
            if table.value.starttls && key != "open" {
                let message = format!(
                    "`starttls` in [[talk.{key}]]: the connection switches to TLS in its opening"
                );
                let help = "move this exchange to [[talk.open]]";
                return Err(table.fault(message).help(help));
            }
            let exchange = table.exchange(format!("talk.{key}[{index}]"), context, names)?;
            names.extend(exchange.expect.groups());
            exchanges.push(exchange);
        }
        Ok(exchanges)
    }
}

impl At<ExchangeTable> {
    fn exchange(
        self,
        label: String,
        context: &Context<'_>,
        names: &BTreeSet<String>,
    ) -> Read<Exchange> {
        let table = self.value;
        let send = table.send.map(|send| send.message(context, names));
        Ok(Exchange {
            label,
            send: send.transpose()?,
            expect: table.expect.expect(names)?,
            frame: table.frame.map(At::frame).transpose()?,
            line: line_and_column(context.source, self.start).0,
        })
    }
}

impl Tables<PushTable> {
    pub(super) fn pushes(self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Vec<Push>> {
        let pushes = self.0.into_iter().enumerate();
        pushes
            .map(|(index, table)| {
                let reply = table.value.reply.map(|reply| reply.message(context, names));
                Ok(Push {
                    label: format!("talk.push[{index}]"),
                    matches: table.value.r#match.pattern()?,
                    reply: reply.transpose()?,
                })
            })
            .collect()
    }
}
