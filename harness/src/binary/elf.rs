//! The parts of an ELF file that matter: code, constants, and where functions begin and end.

use std::ops::Range;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection, SectionFlags, elf};

use super::Guards;

/// The section with a number for each edge, and the bytes of a number.
const GUARDS: &str = "__sancov_guards";
const GUARD_BYTES: usize = size_of::<u32>();

/// Sections of stubs that the linker writes.
const STUBS: [&str; 6] = [".plt", ".plt.sec", ".plt.got", ".plt.bnd", ".init", ".fini"];

/// An ELF file of this machine's kind of processor.
pub(super) struct Image<'a> {
    code: Vec<Section<'a>>,
    constants: Vec<Section<'a>>,
    /// The addresses of functions, ascending and without overlaps.
    pub(super) functions: Vec<Range<u64>>,
    /// The addresses of the numbers of edges.
    guards: Range<u64>,
}

/// A section that is loaded as it is.
struct Section<'a> {
    at: Range<u64>,
    offset: u64,
    bytes: &'a [u8],
}

impl<'a> Image<'a> {
    /// Parses a file. The error is a reason.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let file: ElfFile64<'a, Endianness> =
            ElfFile64::parse(bytes).map_err(|error| error.to_string())?;
        let machine = match std::env::consts::ARCH {
            "aarch64" => elf::EM_AARCH64,
            _ => elf::EM_X86_64,
        };
        if file.elf_header().e_machine(file.endian()) != machine {
            return Err("it is a program for another processor".into());
        }
        let mut image = Image {
            code: Vec::new(),
            constants: Vec::new(),
            functions: Vec::new(),
            guards: 0..0,
        };
        if let Some(section) = file.section_by_name(GUARDS) {
            image.guards = section.address()..section.address().saturating_add(section.size());
        }
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else {
                continue;
            };
            let (Ok(name), Ok(bytes), Some((offset, length))) =
                (section.name(), section.data(), section.file_range())
            else {
                continue;
            };
            if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || length == 0 || STUBS.contains(&name) {
                continue;
            }
            let found = Section {
                at: section.address()..section.address() + length,
                offset,
                bytes,
            };
            if sh_flags & u64::from(elf::SHF_EXECINSTR) != 0 {
                image.code.push(found);
            } else if sh_flags & u64::from(elf::SHF_WRITE) == 0 {
                image.constants.push(found);
            }
        }
        image.functions = functions(&file, &image.code)?;
        Ok(image)
    }

    /// The number of bytes of code.
    pub(super) fn code_bytes(&self) -> u64 {
        self.code.iter().map(|one| one.at.end - one.at.start).sum()
    }

    /// The code from `at` on within one section, and its position in the file.
    pub(super) fn code(&self, at: &Range<u64>) -> Option<(&'a [u8], u64)> {
        let section = self.code.iter().find(|one| one.at.contains(&at.start))?;
        let start = usize::try_from(at.start - section.at.start).ok()?;
        let end = usize::try_from(at.end.min(section.at.end) - section.at.start).ok()?;
        Some((
            section.bytes.get(start..end)?,
            section.offset + start as u64,
        ))
    }

    /// The address of the code at this position in the file.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let mut within = self.code.iter().filter_map(|one| {
            let address = one.at.start + offset.checked_sub(one.offset)?;
            one.at.contains(&address).then_some(address)
        });
        within.next()
    }

    /// The edge whose number is at this address.
    pub(super) fn guard(&self, at: u64) -> Option<u32> {
        let place = at - self.guards.contains(&at).then_some(self.guards.start)?;
        u32::try_from(place / GUARD_BYTES as u64).ok()
    }

    /// The constants from this address on.
    pub(super) fn constant(&self, at: u64) -> Option<&'a [u8]> {
        let section = self.constants.iter().find(|one| one.at.contains(&at))?;
        section
            .bytes
            .get(usize::try_from(at - section.at.start).ok()?..)
    }
}

/// The section with a number for each edge; none is empty.
pub(super) fn guards(bytes: &[u8]) -> Guards {
    let file: Option<ElfFile64<'_, Endianness>> = ElfFile64::parse(bytes).ok();
    let section = file.as_ref().and_then(|file| file.section_by_name(GUARDS));
    let range = section.and_then(|section| section.file_range());
    let (offset, bytes) = range.unwrap_or_default();
    Guards {
        offset,
        count: usize::try_from(bytes).unwrap_or(0) / GUARD_BYTES,
    }
}

/// The functions that the unwind table lists; without one, those of the symbol table.
fn functions(
    file: &ElfFile64<'_, Endianness>,
    code: &[Section<'_>],
) -> Result<Vec<Range<u64>>, String> {
    let mut found = unwound(file);
    if found.is_empty() {
        found.extend(symbols(file));
    }
    found.retain(|one| one.start < one.end && code.iter().any(|text| text.at.contains(&one.start)));
    found.sort_unstable_by_key(|one| (one.start, one.end));
    let mut apart: Vec<Range<u64>> = Vec::with_capacity(found.len());
    for one in found {
        match apart.last_mut() {
            Some(last) if one.start < last.end => last.end = last.end.max(one.end),
            _ => apart.push(one),
        }
    }
    match apart.is_empty() {
        true => Err("neither an unwind table nor symbols tell where its functions begin".into()),
        false => Ok(apart),
    }
}

fn unwound(file: &ElfFile64<'_, Endianness>) -> Vec<Range<u64>> {
    let Some(section) = file.section_by_name(".eh_frame") else {
        return Vec::new();
    };
    let Ok(bytes) = section.data() else {
        return Vec::new();
    };
    let table = EhFrame::new(bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.address());
    let mut entries = table.entries(&bases);
    let mut found = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        if let CieOrFde::Fde(partial) = entry
            && let Ok(entry) = partial.parse(EhFrame::cie_from_offset)
        {
            let start = entry.initial_address();
            found.push(start..start.saturating_add(entry.len()));
        }
    }
    found
}

fn symbols(file: &ElfFile64<'_, Endianness>) -> Vec<Range<u64>> {
    use object::{ObjectSymbol, SymbolKind};
    let functions = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text);
    functions
        .map(|symbol| symbol.address()..symbol.address().saturating_add(symbol.size()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_this_program() {
        let path = std::env::current_exe().unwrap();
        let bytes = std::fs::read(path).unwrap();
        let image = Image::parse(&bytes).unwrap();
        assert!(image.functions.len() > 1000);
        let apart = |pair: &[Range<u64>]| pair[0].end <= pair[1].start;
        assert!(image.functions.windows(2).all(apart));
        let (code, offset) = image.code(&image.functions[7]).unwrap();
        assert_eq!(code[0], bytes[offset as usize]);
        assert!(Image::parse(&bytes[..100]).is_err());
        assert!(Image::parse(b"#!/bin/sh\n").is_err());
    }
}
