//! Text of people and of servers: what is written on a command line or in a file, and how bytes from
//! outside are shown. A leaf: it uses no other module.

mod duration;
pub mod escape;
pub mod markdown;
mod near;
pub mod size;
pub mod template;
pub mod uint;

pub use duration::duration;
pub use escape::{escape, escape_text};
pub(crate) use near::{did_you_mean, nearest};
