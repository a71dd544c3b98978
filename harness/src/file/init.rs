//! The commented `tcprove.toml` that `tcprove init` writes.

use super::builtin;

/// What comes before the talk.
const HEAD: &str = "\
# tcprove.toml: how your server is started and how one exchange with it goes.
# From these lines tcprove derives its checks, the fuzzing, the load and the gate.
# This file works as it stands. `tcprove check` is a good next step.

";

/// Every other key, commented out.
const TAIL: &str = include_str!("builtin/reference.toml");

/// The commented file for the built-in talk `name`; it works as it stands.
pub fn init(name: &str) -> Option<String> {
    let source = builtin::source(name)?;
    Some(format!("{HEAD}{}\n\n{TAIL}", source.trim_end()))
}
