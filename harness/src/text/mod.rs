//! Text written by people and servers: parsing of command lines and files, and safe display of
//! bytes of unknown origin. A leaf module: it uses no other module.

mod duration;
pub(crate) mod escape;
mod excerpt;
pub(crate) mod markdown;
mod near;
pub(crate) mod size;
pub(crate) mod slot;
mod stack;
pub(crate) mod template;
mod toml_string;
pub(crate) mod uint;
pub(crate) mod varint;

pub(crate) use duration::{duration, duration_or_zero};
pub use escape::escape;
pub(crate) use escape::escape_text;
pub(crate) use excerpt::{ends, excerpt, last_line, left_out_mark};
pub(crate) use near::{did_you_mean, nearest, suggestion};
pub(crate) use toml_string::toml_string;
