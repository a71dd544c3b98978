//! The functions and lines that the blocks of an executable were made from: its symbols, and the line tables of its debug
//! information.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::Block;
use super::elf::Image;

type Lines<'a> = Context<EndianSlice<'a, LittleEndian>>;

/// A file, by its place in [`Sources::files`], and the number of a line in it.
pub(crate) type Line = (u32, u32);

/// The functions and lines of an executable.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The functions that have blocks, in the order of their addresses.
    pub(crate) functions: Vec<SourceFunction>,
    /// The files that lines are in.
    pub(crate) files: Vec<PathBuf>,
    /// The lines of all blocks; those of one block are together.
    lines: Vec<Line>,
    /// The range of the lines of each block.
    of_block: Vec<Range<usize>>,
}

/// A function of an executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFunction {
    /// Its name, as its language writes it; its address without a symbol.
    pub(crate) name: String,
    /// The line of its first instruction, if a table tells.
    pub(crate) place: Option<Line>,
    /// Its blocks.
    pub(crate) blocks: Range<usize>,
}

impl Sources {
    /// The sources of the blocks of this file, which are in the order of their positions. The error is a reason.
    pub(super) fn of(bytes: &[u8], blocks: &[Block]) -> Result<Self, String> {
        let image = Image::parse(bytes)?;
        let file: ElfFile64<'_, Endianness> =
            ElfFile64::parse(bytes).map_err(|error| error.to_string())?;
        let mut reading = Reading {
            names: names(&file),
            // Without debug information there are names all the same.
            table: lines(&file),
            places: HashMap::new(),
            sources: Self::default(),
        };
        for function in blocks.chunk_by(|one, next| one.function == next.function) {
            let at = function.first().map_or(0, |block| block.function as usize);
            let range = image.functions.get(at).cloned().unwrap_or_default();
            let starts: Vec<u64> = function
                .iter()
                .map(|block| image.address(block.offset).unwrap_or(range.start))
                .collect();
            reading.function(&range, &starts);
        }
        Ok(reading.sources)
    }

    /// The lines of a block.
    pub(crate) fn lines(&self, block: usize) -> &[Line] {
        let range = self.of_block.get(block).cloned().unwrap_or_default();
        self.lines.get(range).unwrap_or_default()
    }
}

/// A file that is being read.
struct Reading<'a> {
    names: BTreeMap<u64, &'a str>,
    table: Option<Lines<'a>>,
    /// The places of the known files, by their names.
    places: HashMap<String, u32>,
    sources: Sources,
}

impl Reading<'_> {
    /// Adds a function with blocks that begin at these addresses.
    fn function(&mut self, range: &Range<u64>, starts: &[u64]) {
        let rows = self.rows(range);
        let first = self.sources.of_block.len();
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).copied().unwrap_or(range.end);
            let from = self.sources.lines.len();
            let within = rows
                .iter()
                .filter(|(row, _)| row.start < end && row.end > *start);
            let mut lines: Vec<Line> = within.map(|(_, line)| *line).collect();
            lines.sort_unstable();
            lines.dedup();
            self.sources.lines.extend(lines);
            let all = from..self.sources.lines.len();
            self.sources.of_block.push(all);
        }
        let function = SourceFunction {
            name: self.name(range.start),
            place: rows.first().map(|(_, line)| *line),
            blocks: first..self.sources.of_block.len(),
        };
        self.sources.functions.push(function);
    }

    /// The addresses and lines of a function.
    fn rows(&mut self, range: &Range<u64>) -> Vec<(Range<u64>, Line)> {
        let mut rows = Vec::new();
        let Some(table) = &self.table else {
            return rows;
        };
        let Ok(found) = table.find_location_range(range.start, range.end) else {
            return rows;
        };
        for (start, length, location) in found {
            // Line 0 is code that no line stands for.
            let (Some(name), Some(line @ 1..)) = (location.file, location.line) else {
                continue;
            };
            let place = match self.places.get(name) {
                Some(place) => *place,
                None => {
                    let place = u32::try_from(self.sources.files.len()).unwrap_or(u32::MAX);
                    self.sources.files.push(PathBuf::from(name));
                    self.places.insert(name.to_owned(), place);
                    place
                }
            };
            rows.push((start..start.saturating_add(length), (place, line)));
        }
        rows
    }

    fn name(&self, start: u64) -> String {
        match self.names.get(&start) {
            Some(name) => demangled(name),
            None => format!("0x{start:x}"),
        }
    }
}

/// The name as its language writes it, without what tells two copies of one function apart.
fn demangled(name: &str) -> String {
    let name = addr2line::demangle_auto(Cow::Borrowed(name), None).into_owned();
    let is_hash = |end: &str| end.len() == 17 && end.starts_with('h');
    match name.rsplit_once("::") {
        Some((before, end)) if is_hash(end) => before.to_owned(),
        _ => name,
    }
}

/// The names of functions, by their addresses.
fn names<'a>(file: &ElfFile64<'a, Endianness>) -> BTreeMap<u64, &'a str> {
    let symbols = file.dynamic_symbols().chain(file.symbols());
    let functions = symbols.filter(|symbol| symbol.kind() == SymbolKind::Text);
    functions
        .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?)))
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

/// The line tables; `None` if there are none that can be read.
fn lines<'a>(file: &ElfFile64<'a, Endianness>) -> Option<Lines<'a>> {
    file.section_by_name(".debug_line")?;
    let section = |id: SectionId| -> Result<EndianSlice<'a, LittleEndian>, gimli::Error> {
        let section = file.section_by_name(id.name());
        let bytes = section.and_then(|section| section.data().ok());
        Ok(EndianSlice::new(bytes.unwrap_or_default(), LittleEndian))
    };
    Context::from_dwarf(Dwarf::load(section).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_no_part_of_a_name() {
        let rust = "_ZN4core3fmt5write17h0123456789abcdefE";
        assert_eq!(demangled(rust), "core::fmt::write");
        assert_eq!(demangled("main"), "main");
        assert_eq!(demangled("_Z3addii"), "add(int, int)");
    }
}
