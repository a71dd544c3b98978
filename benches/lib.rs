//! What the benches share: a peer to measure clients against, and the least client there can be.

pub mod load;
