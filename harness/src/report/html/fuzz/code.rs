//! The functions and lines of a server that a campaign has reached, and those that it never has.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use maud::{Markup, html};

use super::super::safe;
use crate::fuzz::{CodeCoverage, FileCoverage, FunctionCoverage};
use crate::text::escape_text;

/// Maximum files that the table lists, functions of one list, and lines of a file that are shown.
const FILES_MAX: usize = 400;
const FUNCTIONS_MAX: usize = 500;
const LINES_MAX: usize = 6_000;
/// Maximum files that are shown with their text.
const TEXTS_MAX: usize = 120;
/// Maximum length of a line that is shown, in characters.
const LINE_CHARS_MAX: usize = 300;

pub(super) fn section(code: &CodeCoverage) -> Markup {
    let (lines, all_lines) = code.lines();
    let (functions, all_functions) = code.function_count();
    let files = in_order(&code.files);
    let of_files = by_file(&code.functions);
    html! {
        section {
            h2 { "Code" }
            p {
                (functions) " of " (all_functions) " functions were reached"
                @if all_lines > 0 { ", and " (lines) " of " (all_lines) " lines" }
                "."
            }
            p.why { "Breakpoints are set a moment after the program begins, so what runs only then may count as never reached." }
            @for program in &code.without_lines {
                p { code { (safe(&program.display().to_string())) } " has no debug information: its functions have no lines." }
            }
            @if !files.is_empty() { (table(&files, &of_files)) }
            (without_place(&code.functions))
        }
        @let texts = files.iter().filter(|(_, file)| file.text.is_some());
        @if files.iter().any(|(_, file)| file.text.is_some()) {
            section {
                h2 { "Sources" }
                p { "Lines that were reached have a green bar, those that never were a red one; other lines are no code." }
                @for (place, file) in texts.take(TEXTS_MAX) {
                    (source(file, of_files.get(place).map_or(&[], Vec::as_slice)))
                }
            }
        }
    }
}

/// The files with code: those of which something was reached first, then by path.
fn in_order(files: &[FileCoverage]) -> Vec<(usize, &FileCoverage)> {
    let with_code = files
        .iter()
        .enumerate()
        .filter(|(_, file)| !file.lines.is_empty());
    let mut files: Vec<(usize, &FileCoverage)> = with_code.collect();
    files.sort_by_key(|(_, file)| (file.reached() == 0, &file.path));
    files
}

type OfFiles<'a> = BTreeMap<usize, Vec<&'a FunctionCoverage>>;

fn by_file(functions: &[FunctionCoverage]) -> OfFiles<'_> {
    let mut of_files = OfFiles::new();
    for function in functions {
        if let Some((file, _)) = function.place {
            of_files.entry(file).or_default().push(function);
        }
    }
    of_files
}

/// The end of a path, which is the part that tells files apart.
fn short(path: &Path) -> String {
    let parts: Vec<Component<'_>> = path.components().collect();
    let kept: std::path::PathBuf = parts[parts.len().saturating_sub(4)..].iter().collect();
    safe(&kept.display().to_string())
}

fn share(reached: usize, all: usize) -> Markup {
    let percent = 100.0 * reached as f64 / all.max(1) as f64;
    html! {
        td.number {
            (reached) " of " (all)
            span.share style=(format!("--s: {percent:.0}%")) {}
        }
    }
}

fn table(files: &[(usize, &FileCoverage)], of_files: &OfFiles<'_>) -> Markup {
    html! {
        div.scroll {
            table.files {
                thead {
                    tr {
                        th scope="col" { "file" }
                        th scope="col" { "lines" }
                        th scope="col" { "functions" }
                    }
                }
                tbody {
                    @for (place, file) in files.iter().take(FILES_MAX) {
                        @let functions = of_files.get(place).map_or(&[][..], Vec::as_slice);
                        @let reached = functions.iter().filter(|one| one.reached > 0).count();
                        tr {
                            th scope="row" title=(safe(&file.path.display().to_string())) { (short(&file.path)) }
                            (share(file.reached(), file.lines.len()))
                            (share(reached, functions.len()))
                        }
                    }
                }
            }
        }
        @if files.len() > FILES_MAX { p { "… and " (files.len() - FILES_MAX) " more files" } }
    }
}

/// The functions that no line table tells the place of.
fn without_place(functions: &[FunctionCoverage]) -> Markup {
    let without = functions.iter().filter(|one| one.place.is_none());
    let (reached, never): (Vec<_>, Vec<_>) = without.partition(|one| one.reached > 0);
    html! {
        @if !reached.is_empty() || !never.is_empty() {
            h3 { "Functions without lines" }
            (list("reached", &reached))
            (list("never reached", &never))
        }
    }
}

fn list(what: &str, functions: &[&FunctionCoverage]) -> Markup {
    let shown = functions.iter().take(FUNCTIONS_MAX);
    html! {
        @if !functions.is_empty() {
            details {
                summary { (functions.len()) " " (what) }
                ul.functions {
                    @for function in shown {
                        li {
                            code { (safe(&function.name)) } " "
                            span.why { (function.reached) " of " (function.blocks) " blocks" }
                        }
                    }
                }
                @if functions.len() > FUNCTIONS_MAX { p { "… and " (functions.len() - FUNCTIONS_MAX) " more" } }
            }
        }
    }
}

/// A file with its functions and its text.
fn source(file: &FileCoverage, functions: &[&FunctionCoverage]) -> Markup {
    let (reached, never): (Vec<_>, Vec<_>) =
        functions.iter().copied().partition(|one| one.reached > 0);
    let text = file.text.as_deref().unwrap_or_default();
    html! {
        details.source {
            summary {
                code { (short(&file.path)) } " "
                span.why { (file.reached()) " of " (file.lines.len()) " lines" }
            }
            (list("functions reached", &reached))
            (list("functions never reached", &never))
            div.scroll {
                pre.code {
                    @for (number, line) in (1u32..).zip(text.lines()).take(LINES_MAX) { (row(file, number, line)) }
                }
            }
        }
    }
}

fn row(file: &FileCoverage, number: u32, line: &str) -> Markup {
    let (class, word) = match file.lines.get(&number) {
        Some(true) => ("hit", "reached"),
        Some(false) => ("miss", "never reached"),
        None => ("none", ""),
    };
    let line = escape_text(&line.replace('\t', "    "), LINE_CHARS_MAX);
    html! { span class=(class) title=[(!word.is_empty()).then_some(word)] { b { (number) } (line) } "\n" }
}
