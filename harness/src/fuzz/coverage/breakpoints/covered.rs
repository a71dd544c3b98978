//! Which functions and lines the blocks that were reached belong to.

use super::{Blocks, Known};
use crate::fuzz::code::{CodeCoverage, FileCoverage};

/// Maximum bytes of a source file whose text is kept for the page, and of all of them.
const TEXT_BYTES_MAX: u64 = 400 << 10;
const TEXTS_BYTES_MAX: u64 = 3 << 20;

/// The functions and lines of the programs, and which of them were reached. Reads the programs and their sources.
pub(super) fn code(blocks: &Blocks, known: &[Known]) -> CodeCoverage {
    let mut code = CodeCoverage::default();
    let mut first = 0;
    for binary in &blocks.binaries {
        match binary.sources() {
            Ok(sources) => {
                let is_reached = |block: usize| {
                    let known = known.get(first + block);
                    known.is_some_and(|known| known.is_reached())
                };
                code.add(&binary.path, &sources, &is_reached);
            }
            Err(_) => code.without_lines.push(binary.path.clone()),
        }
        first += binary.blocks.len();
    }
    code.sort();
    read_texts(&mut code.files);
    code
}

/// Reads the files of which something was reached, as long as there is room.
fn read_texts(files: &mut [FileCoverage]) {
    let mut room = TEXTS_BYTES_MAX;
    for file in files {
        let Ok(about) = std::fs::metadata(&file.path) else {
            continue;
        };
        file.is_there = about.is_file();
        let is_wanted = file.is_there && file.reached() > 0;
        if is_wanted && about.len() <= room.min(TEXT_BYTES_MAX) {
            file.text = std::fs::read(&file.path)
                .ok()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            room -= about.len();
        }
    }
}
