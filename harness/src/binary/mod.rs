//! What an executable tells about itself: its basic blocks, how they follow one another, and the constants that it
//! compares. Needs neither symbols nor sources. Pure but for reading the file.
//!
//! Code is what the unwind table (`.eh_frame`) describes, which stripped programs have too, since they need it to unwind
//! the stack. It is disassembled from the beginning of each function; a function that does not decode is left out.

#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod constants;
mod elf;
mod source;

use std::path::{Path, PathBuf};

pub(crate) use source::Sources;

/// Maximum bytes of a file.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// The basic blocks of an executable or a library.
#[derive(Debug, Default)]
pub(crate) struct Binary {
    /// Its path, without symbolic links.
    pub(crate) path: PathBuf,
    /// The blocks, in the order of their positions in the file.
    pub(crate) blocks: Vec<Block>,
    /// The constants of all blocks.
    words: Vec<Vec<u8>>,
    /// The texts that several blocks compare together.
    texts: Vec<Vec<u8>>,
    /// The edges that the compiler has numbered, each with the block that counts it, as positions in [`Guards`].
    pub(crate) guarded: Vec<(u32, u32)>,
}

/// A basic block: instructions that are always executed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The position of its first byte in the file.
    pub(crate) offset: u64,
    /// That byte.
    pub(crate) original: u8,
    /// The number of its function.
    pub(crate) function: u32,
    /// The blocks that may follow, as far as the code names them.
    pub(crate) next: [Option<u32>; 2],
    /// The range of its words.
    words: std::ops::Range<u32>,
    /// The range of the texts that it is one step of comparing.
    texts: std::ops::Range<u32>,
}

/// Where a program has the numbers of the edges that it counts for a fuzzer, four bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guards {
    /// The position in the file of the first one.
    pub(crate) offset: u64,
    pub(crate) count: usize,
}

/// The edges that a program counts for a fuzzer, as far as its sections tell, if it mentions this variable.
pub(crate) fn guards(path: &Path, variable: &str) -> Option<Guards> {
    let is_small = |file: &std::fs::Metadata| file.len() <= FILE_BYTES_MAX;
    std::fs::metadata(path).ok().filter(is_small)?;
    let bytes = std::fs::read(path).ok()?;
    memchr::memmem::find(&bytes, variable.as_bytes())?;
    Some(elf::guards(&bytes))
}

/// Why a file cannot be taken apart.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BinaryError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// It is not a program of this kind of processor, or has no table of its functions.
    #[error("{0}: {1}")]
    Format(PathBuf, String),
}

impl Binary {
    /// Takes the file apart if it has at most `code_max` bytes of code.
    ///
    /// # Errors
    /// See [`BinaryError`].
    pub(crate) fn read(path: &Path, code_max: u64) -> Result<Self, BinaryError> {
        let trouble = |error| BinaryError::Read(path.to_owned(), error);
        let bytes = std::fs::metadata(path).map_err(trouble)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(trouble(std::io::ErrorKind::FileTooLarge.into()));
        }
        let bytes = std::fs::read(path).map_err(trouble)?;
        let mut binary = Self::of(&bytes, code_max)
            .map_err(|reason| BinaryError::Format(path.to_owned(), reason))?;
        path.clone_into(&mut binary.path);
        Ok(binary)
    }

    /// Which functions and lines the blocks were made from, as far as the file tells.
    ///
    /// # Errors
    /// The file cannot be read again.
    pub(crate) fn sources(&self) -> Result<Sources, BinaryError> {
        let trouble = |error| BinaryError::Read(self.path.clone(), error);
        let bytes = std::fs::read(&self.path).map_err(trouble)?;
        Sources::of(&bytes, &self.blocks)
            .map_err(|reason| BinaryError::Format(self.path.clone(), reason))
    }

    fn of(bytes: &[u8], code_max: u64) -> Result<Self, String> {
        let image = elf::Image::parse(bytes)?;
        let code = image.code_bytes();
        match code > code_max {
            true => Err(format!("it has {} MB of code", code >> 20)),
            false => of_image(&image),
        }
    }

    /// The constants that the block compares or refers to: what it may want to read from a client.
    pub(crate) fn words(&self, block: &Block) -> &[Vec<u8>] {
        let (start, end) = (block.words.start as usize, block.words.end as usize);
        self.words.get(start..end).unwrap_or_default()
    }

    /// The texts of which the block compares a part: where bytes are compared one by one, the whole of them.
    pub(crate) fn texts(&self, block: &Block) -> &[Vec<u8>] {
        let (start, end) = (block.texts.start as usize, block.texts.end as usize);
        self.texts.get(start..end).unwrap_or_default()
    }
}

#[cfg(target_arch = "x86_64")]
fn of_image(image: &elf::Image<'_>) -> Result<Binary, String> {
    let binary = blocks::of(image);
    let ascends = |two: &[Block]| two[0].offset < two[1].offset;
    match binary.blocks.windows(2).all(ascends) {
        true => Ok(binary),
        false => Err("its sections are not in the order of their addresses".into()),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn of_image(_: &elf::Image<'_>) -> Result<Binary, String> {
    Err("its kind of processor is not supported".into())
}
