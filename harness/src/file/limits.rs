//! `[limits]`: how much the server accepts before it says no.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Read;
use super::value::{At, Int, Scalar};
use crate::subject::{Promise, StatedLimits};
use crate::text;

/// How much the server accepts from its clients on purpose, and no more: facts about it, which `tcprove init --learn` finds
/// out. Checks, campaigns and loads stay within them; `limits-hold` checks them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    /// The number of clients that it serves at the same time. It refuses the next one by a message, a close or a reset.
    connections: Option<At<Int<1, 1_000_000>>>,
    /// The number of requests that it answers on one connection.
    requests_per_connection: Option<Int<1, { 1 << 32 }>>,
    /// The size of the longest request in bytes, frame included.
    message_bytes: Option<At<Int<1, { 64 << 20 }>>>,
    /// The same as `message_bytes`, for a server whose messages are lines: the delimiter counts.
    line_bytes: Option<At<Int<1, { 64 << 20 }>>>,
    /// The time after which it closes a connection on which nothing happens, as in "30s".
    #[schemars(with = "Option<String>")]
    idle_close: Option<At<Scalar>>,
}

impl LimitsTable {
    /// The limits. They may not contradict what `promise` says.
    pub(super) fn limits(self, promise: &Promise) -> Read<StatedLimits> {
        let longest = match (self.message_bytes, self.line_bytes) {
            (Some(_), Some(line)) => {
                let fault = line.fault("`line_bytes` and `message_bytes` are the same limit");
                return Err(fault.help("write one of them"));
            }
            (Some(bytes), None) => Some(("message_bytes", bytes)),
            (None, Some(bytes)) => Some(("line_bytes", bytes)),
            (None, None) => None,
        };
        if let Some((name, bytes)) = &longest {
            within(bytes, name, ("max_message", promise.max_message))?;
        }
        if let Some(connections) = &self.connections {
            let promised = ("max_connections", promise.max_connections);
            within(connections, "connections", promised)?;
        }
        let idle_close = self
            .idle_close
            .map(|time| time.parse("idle_close", text::duration));
        Ok(StatedLimits {
            connections: self.connections.map(|number| number.value.size()),
            requests_per_connection: self.requests_per_connection.map(Int::size),
            message_bytes: longest.map(|(_, bytes)| bytes.value.size()),
            idle_close: idle_close.transpose()?,
        })
    }
}

/// Fails if more is promised than this limit allows.
fn within<const MIN: u64, const MAX: u64>(
    limit: &At<Int<MIN, MAX>>,
    name: &str,
    (promise, promised): (&str, Option<usize>),
) -> Read<()> {
    let stated = limit.value.size();
    match promised {
        Some(promised) if promised > stated => {
            let fault = limit.fault(format!(
                "`{name}` is {stated}, but [promise] {promise} is {promised}: more than the limit"
            ));
            Err(fault.help(format!(
                "a promise is checked more strictly than a limit; keep the one that is true, or write {promised} here"
            )))
        }
        _ => Ok(()),
    }
}
