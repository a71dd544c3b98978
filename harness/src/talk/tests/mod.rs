//! Tests that involve several files of this module.

mod builtins;
mod exchanges;
mod frames;
mod streams;
