//! Text written by people and servers: parsing of command lines and files, and safe display of
//! bytes of unknown origin. A leaf module: it uses no other module.

mod duration;
pub mod escape;
mod excerpt;
pub mod markdown;
mod near;
pub mod size;
pub mod template;
pub mod uint;

pub use duration::duration;
pub use escape::{escape, escape_text};
pub use excerpt::{ends, excerpt, last_line, left_out_mark};
pub(crate) use near::{did_you_mean, nearest};
