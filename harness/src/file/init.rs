//! The commented `tcprove.toml` that `tcprove init` writes.

use super::builtin;

/// The text before the talk.
const HEAD: &str = "\
# tcprove.toml: how your server is started and how one exchange with it goes.
# tcprove derives its checks, the fuzzing, the load and the gate from it.
# This file works as it stands. `tcprove check` is a good next step.

";

/// All other keys, commented out.
const TAIL: &str = include_str!("builtin/reference.toml");

/// The commented file for the built-in talk `name`. It works as it stands.
pub fn init(name: &str) -> Option<String> {
    let source = builtin::source(name)?;
    Some(init_text(HEAD, source.trim_end()))
}

/// The text of a commented file with this section at the end of what is in force.
pub(crate) fn with_section(text: &str, section: &str) -> String {
    let body = text.strip_suffix(TAIL).unwrap_or(text);
    let tail = &text[body.len()..];
    format!("{}\n\n{section}\n\n{tail}", body.trim_end())
}

/// A commented file: `head`, the text of the file, and all other keys.
pub(crate) fn init_text(head: &str, text: &str) -> String {
    format!("{head}{text}\n\n{TAIL}")
}
