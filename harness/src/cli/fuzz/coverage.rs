//! `--coverage`: which lines and functions a campaign has reached, as a file.

use std::path::{Path, PathBuf};

use super::{FeedbackArg, usage};
use crate::fuzz::CodeCoverage;
use crate::fuzz::feedback::FeedbackMode;
use crate::report::{RunError, lcov};

/// Default name of the file, in the folder of `--out`.
const NAME: &str = "coverage.info";

/// Where the file goes, in the only format that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct CoverageFile {
    path: Option<PathBuf>,
}

/// Reads `lcov` or `lcov=FILE`.
///
/// # Errors
/// It is another format.
pub(super) fn format(text: &str) -> Result<CoverageFile, String> {
    match text.split_once('=') {
        None if text == "lcov" => Ok(CoverageFile { path: None }),
        Some(("lcov", path)) if !path.is_empty() => Ok(CoverageFile {
            path: Some(path.into()),
        }),
        _ => Err("write it as lcov or lcov=FILE".into()),
    }
}

/// The feedback of a campaign whose coverage is written, and whether breakpoints count only and do not guide it.
///
/// # Errors
/// Another source of coverage is asked for.
pub(super) fn feedback(asked: FeedbackArg) -> Result<(FeedbackMode, bool), RunError> {
    match asked {
        FeedbackArg::Auto | FeedbackArg::Breakpoints => Ok((FeedbackMode::Breakpoints, false)),
        FeedbackArg::Shape | FeedbackArg::None => Ok((asked.into(), true)),
        _ => Err(usage(
            "--coverage needs breakpoints\nnext: leave out --feedback, or let it be shape or none: then breakpoints count and do not guide"
                .to_owned(),
        )),
    }
}

impl CoverageFile {
    /// Writes the file. `out` is the folder for findings.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, out: &Path, code: &CodeCoverage) -> Result<(), RunError> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => out.join(NAME),
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        folder
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, lcov::text(code)))
            .map_err(|error| usage(format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        assert_eq!(format("lcov").unwrap().path, None);
        assert_eq!(format("lcov=a=b").unwrap().path, Some("a=b".into()));
        for wrong in ["lcov=", "html", "LCOV"] {
            assert!(format(wrong).is_err(), "{wrong}");
        }
    }
}
