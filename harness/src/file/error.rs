//! Errors of a file: the message, file:line:column, an excerpt, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::text::escape_text;

/// Longest help that is shown in full, in characters.
const HELP_CHARS_MAX: usize = 2_000;

/// A file that cannot be used. `Display` is the full report without colour.
#[derive(Clone)]
pub struct FileError {
    origin: String,
    source: Arc<str>,
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl FileError {
    /// An error about the file as a whole (it cannot be read, it is too large).
    pub(crate) fn whole(origin: &str, message: String) -> Self {
        Self {
            origin: origin.to_owned(),
            source: Arc::from(""),
            span: None,
            message,
            help: None,
        }
    }

    pub(crate) fn new(origin: &str, source: &str, fault: Fault) -> Self {
        let span = fault.narrowed(source);
        Self {
            origin: origin.to_owned(),
            source: Arc::from(source),
            span: Some(span),
            message: fault.message,
            help: fault.help,
        }
    }

    /// The one-line statement of what is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if that is known ("did you mean `expect`?").
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file's name as it was given.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Line and column of the first character at fault, both counted from 1, columns in characters.
    pub fn location(&self) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start;
        Some(line_and_column(&self.source, start))
    }

    /// `file:line:column`, as far as it is known.
    pub fn place(&self) -> String {
        match self.location() {
            Some((line, column)) => format!("{}:{line}:{column}", self.origin),
            None => self.origin.clone(),
        }
    }

    /// The report with its excerpt of the source; with terminal colours if `color`.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let title = Level::ERROR.primary_title(self.message.as_str());
        // The title is made safe by the renderer; a help is not, and it may quote the file too.
        let help = self.help.as_deref();
        let help = help.map(|help| Level::HELP.message(escape_text(help, HELP_CHARS_MAX)));
        let group = match &self.span {
            Some(span) => title.element(
                Snippet::source(&*self.source)
                    .path(self.origin.as_str())
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            None => title.element(annotate_snippets::Origin::path(self.origin.as_str())),
        };
        let group = group.elements(help);
        renderer
            .decor_style(DecorStyle::Ascii)
            .render(&[group])
            .to_string()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for FileError {}

/// A fault while reading: a place in the source and what is wrong there. [`FileError`] adds the name and the text
/// of the file.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
    /// The part of `span` to point at, if this text occurs in it.
    pub(crate) fragment: Option<String>,
    pub(crate) help: Option<String>,
}

/// The result of reading a part of the file.
pub(crate) type Read<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            fragment: None,
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a help if there is one.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    pub(crate) fn fragment(mut self, fragment: impl Into<String>) -> Self {
        self.fragment = Some(fragment.into());
        self
    }

    /// The span to show: on character boundaries, inside the source, narrowed to the fragment.
    fn narrowed(&self, source: &str) -> Range<usize> {
        let start = floor(source, self.span.start.min(source.len()));
        let end = floor(source, self.span.end.clamp(start, source.len()));
        let found = self
            .fragment
            .as_deref()
            .filter(|fragment| !fragment.is_empty())
            .and_then(|fragment| Some((source.get(start..end)?.find(fragment)?, fragment.len())));
        match found {
            Some((at, len)) => start + at..start + at + len,
            None => start..end,
        }
    }
}

fn floor(source: &str, mut at: usize) -> usize {
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Line and column, both from 1, of a byte offset on a character boundary.
pub(crate) fn line_and_column(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    (line, column)
}
