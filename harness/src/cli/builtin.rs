//! The built-in talks by name, with a message for a name that does not exist.

use crate::file::{self, File};
use crate::report::RunError;
use crate::text;

/// The file of the built-in talk `name`.
///
/// # Errors
/// A usage error that lists the built-in talks and suggests the nearest name.
pub(super) fn builtin(name: &str) -> Result<File, RunError> {
    file::builtin(name).ok_or_else(|| {
        let near = text::nearest(name, file::BUILTIN.iter().map(|entry| entry.0))
            .map_or(String::new(), |near| format!(": did you mean `{near}`?"));
        RunError::usage(format!(
            "there is no built-in talk `{name}`{near}\nthere are: {}; or describe your own in a tcprove.toml (`tcprove init`)",
            names()
        ))
    })
}

/// The names of all built-in talks, separated by commas.
pub(super) fn names() -> String {
    let names: Vec<&str> = file::BUILTIN.iter().map(|entry| entry.0).collect();
    names.join(", ")
}
