//! What holds across the files of this folder.

mod exchanges;
mod frames;
mod streams;
