//! Shared code of the benches: a minimal echo server, a minimal client, and comparisons in rounds.

pub mod load;
pub mod rounds;
