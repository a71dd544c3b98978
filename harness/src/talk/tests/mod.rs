//! What holds across the files of this folder.

mod builtins;
mod exchanges;
mod frames;
mod streams;
