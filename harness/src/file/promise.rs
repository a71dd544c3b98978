//! `[promise]`: what the server promises.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Read;
use super::value::{At, Int, OneOrMore, Scalar};
use crate::subject::{Encoding, Family, Promise, StatedLimits};
use crate::text;

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
    /// The time after which it closes the connection of a client that is silent, as in "30s".
    #[schemars(with = "Option<String>")]
    idle_timeout: Option<At<Scalar>>,
    /// The address families on whose loopback address it serves, as in ["ipv4", "ipv6"].
    families: Option<At<OneOrMore<FamilyValue>>>,
    /// Started with 0 in place of {port}, it chooses a port and prints its number, or says it as `ready` describes.
    port0: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(expecting = "the name of an encoding")]
enum EncodingValue {
    #[serde(rename = "utf-8", alias = "utf8", alias = "UTF-8", alias = "UTF8")]
    Utf8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "\"ipv4\" or \"ipv6\"")]
enum FamilyValue {
    Ipv4,
    Ipv6,
}

impl PromiseTable {
    pub(super) fn promise(self) -> Read<Promise> {
        let idle_timeout = self
            .idle_timeout
            .map(|time| time.parse("idle_timeout", text::duration));
        Ok(Promise {
            max_message: self.max_message.map(Int::size),
            drains_on_stop: self.drains_on_stop,
            pipelining: self.pipelining,
            encoding: self.encoding.map(|EncodingValue::Utf8| Encoding::Utf8),
            max_connections: self.max_connections.map(Int::size),
            idle_timeout: idle_timeout.transpose()?,
            families: self.families.map_or(Ok(Vec::new()), families)?,
            port0: self.port0,
            limits: StatedLimits::default(),
        })
    }
}

fn families(list: At<OneOrMore<FamilyValue>>) -> Read<Vec<Family>> {
    let (place, OneOrMore(list)) = list.split();
    if list.is_empty() {
        let fault = place.fault("`families` is empty");
        return Err(fault.help("write [\"ipv4\"], [\"ipv6\"] or both"));
    }
    let has = |family| list.contains(&family);
    let known = [
        (FamilyValue::Ipv4, Family::Ipv4),
        (FamilyValue::Ipv6, Family::Ipv6),
    ];
    let promised = known.into_iter().filter(|(written, _)| has(*written));
    Ok(promised.map(|(_, family)| family).collect())
}
