//! Which functions and lines of a server's programs a campaign has reached, and which never. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::binary::Sources;

/// The functions and lines of the programs.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct CodeCoverage {
    /// The number of functions.
    #[serde(serialize_with = "functions_counted")]
    #[schemars(with = "Count")]
    pub functions: Vec<FunctionCoverage>,
    /// The number of lines that code was made from.
    #[serde(serialize_with = "lines_counted", rename = "lines")]
    #[schemars(with = "Count")]
    pub files: Vec<FileCoverage>,
    /// Programs without debug information: their functions have no lines.
    pub without_lines: Vec<PathBuf>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCoverage {
    /// Its name, or its address.
    pub name: String,
    /// The file name of its program.
    pub program: String,
    /// The file and the line that it begins at, if known: the place in [`CodeCoverage::files`].
    pub place: Option<(usize, u32)>,
    /// Number of its blocks.
    pub blocks: usize,
    /// Number of those that were reached.
    pub reached: usize,
}

/// A source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// Its path, as the compiler has written it.
    pub path: PathBuf,
    /// The lines that code was made from, and whether they were reached.
    pub lines: BTreeMap<u32, bool>,
    /// Whether the file is there.
    pub is_there: bool,
    /// Its text, if something in it was reached and it is not too long.
    pub text: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct Count {
    /// How many were reached.
    reached: usize,
    /// How many there are.
    all: usize,
}

fn functions_counted<S: Serializer>(
    functions: &[FunctionCoverage],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let reached = functions.iter().filter(|one| one.reached > 0).count();
    let all = functions.len();
    Count { reached, all }.serialize(serializer)
}

fn lines_counted<S: Serializer>(files: &[FileCoverage], serializer: S) -> Result<S::Ok, S::Error> {
    let reached = files.iter().map(FileCoverage::reached).sum();
    let all = files.iter().map(|file| file.lines.len()).sum();
    Count { reached, all }.serialize(serializer)
}

impl FileCoverage {
    /// Number of its lines that were reached.
    pub fn reached(&self) -> usize {
        self.lines.values().filter(|reached| **reached).count()
    }
}

impl CodeCoverage {
    /// The number of lines that were reached, and of all.
    pub fn lines(&self) -> (usize, usize) {
        let reached = self.files.iter().map(FileCoverage::reached).sum();
        (
            reached,
            self.files.iter().map(|file| file.lines.len()).sum(),
        )
    }

    /// The number of functions that were reached, and of all.
    pub fn function_count(&self) -> (usize, usize) {
        let reached = self.functions.iter().filter(|one| one.reached > 0);
        (reached.count(), self.functions.len())
    }

    /// Adds a program. `is_reached` says whether a block of it was reached.
    pub(super) fn add(
        &mut self,
        program: &Path,
        sources: &Sources,
        is_reached: &dyn Fn(usize) -> bool,
    ) {
        if sources.files.is_empty() {
            self.without_lines.push(program.to_owned());
        }
        let places: Vec<usize> = sources.files.iter().map(|path| self.file(path)).collect();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        for function in &sources.functions {
            let mut reached = 0;
            for block in function.blocks.clone() {
                let is_reached = is_reached(block);
                reached += usize::from(is_reached);
                for (file, line) in sources.lines(block) {
                    let lines = &mut self.files[places[*file as usize]].lines;
                    *lines.entry(*line).or_default() |= is_reached;
                }
            }
            self.functions.push(FunctionCoverage {
                name: function.name.clone(),
                program: name.clone().into_owned(),
                place: function
                    .place
                    .map(|(file, line)| (places[file as usize], line)),
                blocks: function.blocks.len(),
                reached,
            });
        }
    }

    fn file(&mut self, path: &Path) -> usize {
        if let Some(at) = self.files.iter().position(|file| file.path == path) {
            return at;
        }
        self.files.push(FileCoverage {
            path: path.to_owned(),
            ..FileCoverage::default()
        });
        self.files.len() - 1
    }

    /// Puts the functions and files in order, and copies of one function together: a compiler makes several of a generic one.
    pub(super) fn sort(&mut self) {
        self.functions.sort_by(|one, other| {
            (one.place, &one.program, &one.name).cmp(&(other.place, &other.program, &other.name))
        });
        self.functions.dedup_by(|next, one| {
            let is_same = next.place == one.place
                && next.name == one.name
                && next.program == one.program
                && next.place.is_some();
            if is_same {
                one.blocks += next.blocks;
                one.reached += next.reached;
            }
            is_same
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two files, of which one was reached in part, and a function without lines.
    pub(crate) fn sample() -> CodeCoverage {
        let function = |name: &str, place, blocks, reached| FunctionCoverage {
            name: name.into(),
            program: "server".into(),
            place,
            blocks,
            reached,
        };
        CodeCoverage {
            functions: vec![
                function("serve", Some((0, 3)), 4, 3),
                function("never<u8, \"x\">", Some((0, 9)), 2, 0),
                function("0x4010", None, 5, 2),
            ],
            files: vec![
                FileCoverage {
                    path: "/src/serve.c".into(),
                    is_there: true,
                    lines: BTreeMap::from([(3, true), (4, true), (5, false), (9, false)]),
                    text: Some("/* a <server> */\n\nint serve() {\n  go();\n  stop();\n}\n".into()),
                },
                FileCoverage {
                    path: "/src/other.c".into(),
                    lines: BTreeMap::from([(1, false)]),
                    ..FileCoverage::default()
                },
            ],
            without_lines: vec!["/usr/lib/libx.so".into()],
        }
    }

    #[test]
    fn counts() {
        let sample = sample();
        assert_eq!((sample.lines(), sample.function_count()), ((2, 5), (2, 3)));
        let json = serde_json::to_value(&sample).unwrap();
        assert_eq!(json["lines"], serde_json::json!({"reached": 2, "all": 5}));
        assert_eq!(
            json["functions"],
            serde_json::json!({"reached": 2, "all": 3})
        );
    }

    #[test]
    fn copies_of_a_function_are_one() {
        let mut sample = sample();
        let copies: Vec<_> = sample.functions.clone();
        sample.functions.extend(copies);
        sample.sort();
        let named = |name: &str| -> Vec<(usize, usize)> {
            let all = sample.functions.iter().filter(|one| one.name == name);
            all.map(|one| (one.blocks, one.reached)).collect()
        };
        assert_eq!(named("serve"), [(8, 6)]);
        assert_eq!(named("0x4010"), [(5, 2), (5, 2)]);
    }
}
