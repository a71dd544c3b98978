//! `[[talk.open]]`: exchanges, and programs that log in.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::exchange::{ExchangeTable, Frames};
use super::message::template;
use crate::file::value::{At, OneOrMore, Tables, Text};
use crate::file::{Context, Read, line_and_column};
use crate::talk::{Exec, Opening};

/// A step at the begin of each connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "a table with `expect` or `exec`"
)]
pub(super) enum OpeningTable {
    /// A program and its arguments, one string each, with placeholders as in `send`. It performs a login that has to be
    /// computed, on the connection, which is its descriptor 3. It runs in the folder of this file, once for each
    /// connection, and must not read more than its own part of the conversation. Exit code 0: it is logged in.
    Exec(At<OneOrMore<Text>>),
    /// An exchange: a greeting, where the server speaks first, or a request and its reply.
    Exchange(Box<ExchangeTable>),
}

impl Tables<OpeningTable> {
    /// The steps of the opening. Each may use what the ones before it have bound: `names` grows.
    pub(super) fn openings(
        self,
        frames: &Frames<'_>,
        context: &Context<'_>,
        names: &mut BTreeSet<String>,
    ) -> Read<Vec<Opening>> {
        let mut openings = Vec::new();
        for (index, table) in self.0.into_iter().enumerate() {
            let label = format!("talk.open[{index}]");
            let (at, table) = table.split();
            match table {
                OpeningTable::Exec(words) => {
                    let line = line_and_column(context.source, at.start).0;
                    openings.push(Opening::Exec(exec(label, words, line, context, names)?));
                }
                OpeningTable::Exchange(value) => {
                    let table = At {
                        value: *value,
                        start: at.start,
                        end: at.end,
                    };
                    let switches = table.value.starttls;
                    let none = BTreeSet::new();
                    let one =
                        Tables(vec![table]).exchanges("open", frames, context, names, &none)?;
                    openings.extend(one.into_iter().map(|mut exchange| {
                        exchange.label.clone_from(&label);
                        Opening::Exchange(exchange)
                    }));
                    if switches {
                        openings.push(Opening::StartTls);
                    }
                }
            }
        }
        Ok(openings)
    }
}

fn exec(
    label: String,
    words: At<OneOrMore<Text>>,
    line: usize,
    context: &Context<'_>,
    names: &BTreeSet<String>,
) -> Read<Exec> {
    let list = &words.value.0;
    if let [word] = list.as_slice()
        && word.start == words.start
    {
        let help = "write [\"program\", \"argument\"]; a shell line is [\"sh\", \"-c\", \"...\"]";
        return Err(words
            .fault("`exec` must be a list of words, not a string")
            .help(help));
    }
    if list.first().is_none_or(|word| word.value.is_empty()) {
        return Err(words
            .fault("`exec` is empty: it logs in")
            .help("write the program and its arguments"));
    }
    for word in list {
        if word.value.contains('\0') {
            return Err(word.fault("a command cannot contain a NUL byte"));
        }
    }
    let templates = list.iter().map(|word| template(word, context, names));
    Ok(Exec {
        label,
        words: templates.collect::<Read<_>>()?,
        dir: context.dir.clone(),
        line,
    })
}
