//! Tests that involve several files of this module.

mod courses;
mod exchanges;
mod expectations;
mod frames;
mod lengths;
mod readers;
mod streams;
