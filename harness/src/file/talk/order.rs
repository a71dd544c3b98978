//! `name` and `after`: which turns a connection carries before others.

use super::exchange::ExchangeTable;
use crate::file::Read;
use crate::file::value::{OneOrMore, Tables, Text};
use crate::talk::{Exchange, Talk};
use crate::text::did_you_mean;

/// What the exchanges of one key state about their order.
pub(super) struct Stated {
    key: &'static str,
    /// The name and the predecessors of each.
    each: Vec<(Option<Text>, Vec<Text>)>,
}

impl Stated {
    pub(super) fn of(key: &'static str, tables: &Tables<ExchangeTable>) -> Self {
        let each = tables.0.iter().map(|table| {
            let after = table.value.after.as_ref();
            let after = after.map_or_else(Vec::new, |OneOrMore(names)| names.clone());
            (table.value.name.clone(), after)
        });
        Self {
            key,
            each: each.collect(),
        }
    }

    /// Checks the statements against the whole talk, in which the exchanges of the file come first.
    pub(super) fn check(&self, talk: &Talk) -> Read<()> {
        let exchanges: &[Exchange] = match self.key {
            "bad" => &talk.bad,
            "slow" => &talk.slow,
            _ => &talk.turns,
        };
        for (index, ((name, after), exchange)) in self.each.iter().zip(exchanges).enumerate() {
            if let Some(name) = name {
                unique(name, index, talk)?;
            }
            for before in after {
                precedes(before, exchange, talk)?;
            }
        }
        Ok(())
    }
}

fn unique(name: &Text, index: usize, talk: &Talk) -> Read<()> {
    let shown = name.value.escape_debug();
    if name.value.is_empty() {
        return Err(name.fault("`name` is empty"));
    }
    match talk.named(&name.value) {
        Some(first) if first != index => Err(name
            .fault(format!("another turn is called `{shown}`"))
            .help("give each its own name")),
        _ => Ok(()),
    }
}

/// Whether the turn `before` can precede the exchange on its connection.
fn precedes(before: &Text, exchange: &Exchange, talk: &Talk) -> Read<()> {
    let shown = before.value.escape_debug();
    let Some(turn) = talk
        .named(&before.value)
        .and_then(|index| talk.turns.get(index))
    else {
        let names = talk.turns.iter().filter_map(|turn| turn.name.as_deref());
        let fault = before.fault(format!("no turn is called `{shown}`"));
        let help = did_you_mean(&before.value, names);
        return Err(fault.maybe_help(help.or_else(|| Some("give it a `name`".to_owned()))));
    };
    if waits_for(turn, exchange, talk) {
        return Err(before.fault(format!("`{shown}` itself comes after this turn")));
    }
    if !talk.goes_on_after(turn) {
        let fault = before.fault(format!("the connection is closed after `{shown}`"));
        return Err(
            fault.help("only a turn that leaves the connection open can come before another")
        );
    }
    Ok(())
}

/// Whether `turn` is the exchange, or has to come after it. Ends even if turns wait for each other.
fn waits_for(turn: &Exchange, exchange: &Exchange, talk: &Talk) -> bool {
    let Some(name) = &exchange.name else {
        return false;
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut left = vec![turn];
    while let Some(turn) = left.pop() {
        if turn.name.as_ref() == Some(name) {
            return true;
        }
        for before in &turn.order.after {
            if !seen.contains(&before.as_str()) {
                seen.push(before);
                left.extend(talk.named(before).and_then(|index| talk.turns.get(index)));
            }
        }
    }
    false
}
