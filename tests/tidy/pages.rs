//! The documentation: short where it begins, complete, and without links that lead nowhere.

use std::path::{Path, PathBuf};

use super::root;

/// Maximum number of lines of the README.
const README_LINES_MAX: usize = 150;

/// The files in Markdown of these folders, with their texts.
fn pages(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let folders = folders.iter().map(|folder| root().join(folder));
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    let pages: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(pages.len() > 3, "no pages were found");
    pages
}

/// What the address of a file or folder of the repository begins with, for pages that are also read elsewhere.
const REPOSITORY: &str = "https://github.com/OWNER/tcprove/";

/// The targets of the links of a page, without the parts of pages.
fn targets(page: &str) -> impl Iterator<Item = &str> {
    let after = page.split("](").skip(1);
    let targets = after.filter_map(|text| text.split_once(')').map(|(target, _)| target));
    let places = targets.map(|target| target.split('#').next().unwrap_or_default());
    places.filter(|target| !target.is_empty() && !target.contains(' '))
}

/// The targets of the links of a page that are files.
fn files_linked(page: &str) -> impl Iterator<Item = &str> {
    targets(page).filter(|target| !target.contains("://"))
}

/// The files and folders to which a page links by their address in the repository.
fn linked_in_repository(page: &str) -> impl Iterator<Item = &str> {
    let places = targets(page).filter_map(|target| target.strip_prefix(REPOSITORY));
    places.filter_map(|place| {
        let blob = place.strip_prefix("blob/main/");
        blob.or_else(|| place.strip_prefix("tree/main/"))
    })
}

#[test]
fn links_to_files_lead_somewhere() {
    let mut tried = 0;
    for (path, page) in pages(&[".", "docs", "docs/how-to", "action"]) {
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in files_linked(&page) {
            let there = folder.join(file).exists();
            assert!(there, "{}: there is no {file}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried} links");
}

#[test]
fn addresses_in_the_repository_lead_somewhere() {
    let mut tried = 0;
    for (path, page) in pages(&[".", "docs", "docs/how-to", "action"]) {
        for place in linked_in_repository(&page) {
            let there = root().join(place).exists();
            assert!(there, "{}: there is no {place}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 3, "{tried} links");
}

/// A book has nothing but its own files, so a link out of it would be dead.
#[test]
fn links_of_the_book_stay_in_the_book() {
    let docs = root().join("docs").canonicalize().unwrap();
    for (path, page) in pages(&["docs", "docs/how-to"]) {
        for file in files_linked(&page) {
            let target = path.parent().unwrap().join(file).canonicalize().unwrap();
            assert!(
                target.starts_with(&docs) && target.is_file(),
                "{}: {file} is not in the book; link to {REPOSITORY}blob/main/...",
                path.display()
            );
        }
    }
}

#[test]
fn the_summary_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let docs = root().join("docs");
    for (path, page) in pages(&["docs", "docs/how-to"]) {
        let name = path.strip_prefix(&docs).unwrap().to_str().unwrap();
        let title = page.lines().next().unwrap().trim_start_matches("# ");
        let line = format!("- [{title}]({name})");
        assert!(
            name == "SUMMARY.md" || summary.lines().any(|entry| entry == line),
            "docs/SUMMARY.md lacks {line:?}"
        );
    }
}

#[test]
fn the_readme_is_short() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= README_LINES_MAX, "{lines} lines");
}

#[test]
fn the_documentation_names_every_check() {
    let page = std::fs::read_to_string(root().join("docs/checks.md")).unwrap();
    for check in tcprove::check::all() {
        assert!(
            page.contains(&format!("`{}`", check.id)),
            "{} is not in docs/checks.md",
            check.id
        );
    }
}
