//! Criterion benches live beside this file; the crate itself holds nothing.
