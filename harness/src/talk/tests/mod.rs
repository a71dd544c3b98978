//! Tests that involve several files of this module.

mod exchanges;
mod frames;
mod streams;
