//! `[promise]`: what the server promises.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::Int;
use crate::subject::{Encoding, Promise};

/// What the server promises. A check that needs an absent promise is skipped and says so.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromiseTable {
    /// The size of the longest request in bytes, frame included.
    max_message: Option<Int<1, { 64 << 20 }>>,
    /// When it is asked to stop, it first answers the requests that it has begun to read.
    drains_on_stop: Option<bool>,
    /// It answers, in order, requests that are sent without waiting for replies.
    pipelining: Option<bool>,
    /// The encoding of its text; other bytes are refused, not silently changed.
    encoding: Option<EncodingValue>,
    /// The number of connections that it serves at once.
    max_connections: Option<Int<1, 1_000_000>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(expecting = "the name of an encoding")]
enum EncodingValue {
    #[serde(rename = "utf-8", alias = "utf8", alias = "UTF-8", alias = "UTF8")]
    Utf8,
}

impl From<PromiseTable> for Promise {
    fn from(table: PromiseTable) -> Self {
        Self {
            max_message: table.max_message.map(Int::size),
            drains_on_stop: table.drains_on_stop,
            pipelining: table.pipelining,
            encoding: table.encoding.map(|EncodingValue::Utf8| Encoding::Utf8),
            max_connections: table.max_connections.map(Int::size),
        }
    }
}
