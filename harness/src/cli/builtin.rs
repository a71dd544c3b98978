//! The built-in talks by name, with a message for a name that does not exist.

pub(super) use crate::file::builtin::names;
use crate::file::builtin::suggestion;
use crate::file::{self, File};
use crate::report::RunError;

/// The file of the built-in talk `name`.
///
/// # Errors
/// A usage error that lists the built-in talks and suggests the nearest name.
pub(super) fn builtin(name: &str) -> Result<File, RunError> {
    file::builtin(name).ok_or_else(|| {
        let near = suggestion(name);
        RunError::usage(format!(
            "there is no built-in talk `{name}`{near}\nthere are: {}; or describe your own in a tcprove.toml (`tcprove init`)",
            names()
        ))
    })
}
