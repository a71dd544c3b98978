//! Text of people and of servers: what is written on a command line or in a file, and how bytes from
//! outside are shown. A leaf: it uses no other module.

mod duration;
pub mod escape;
mod excerpt;
pub mod markdown;
mod near;
pub mod size;

pub use duration::duration;
pub use escape::{escape, escape_text};
pub use excerpt::{ends, excerpt, last_line, left_out_mark};
pub(crate) use near::{did_you_mean, nearest};
