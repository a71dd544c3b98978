//! One part of work that is divided among several processes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One part of work that is divided among several processes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
pub(crate) struct Shard {
    /// Number of this shard, starting at 1.
    pub index: usize,
    /// Number of shards.
    pub count: usize,
}

impl Shard {
    /// Whether this shard has the item at this position: the items are dealt out in turn.
    pub(crate) fn takes(self, position: usize) -> bool {
        position % self.count == self.index - 1
    }
}
