//! What a process has mapped into its memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A part of a file in the memory of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping<'a> {
    pub(super) at: Range<u64>,
    /// The position in the file of its first byte.
    pub(super) offset: u64,
    pub(super) is_executable: bool,
    pub(super) path: &'a Path,
}

impl<'a> Mapping<'a> {
    /// Parses a line of `/proc/PID/maps` (proc(5)); `None` if it has no file.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let access = fields.next()?;
        let offset = fields.next()?;
        let path = fields.nth(2)?.trim_start();
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Self {
            at: number(start)?..number(end)?,
            offset: number(offset)?,
            is_executable: access.as_bytes().get(2) == Some(&b'x'),
            path: Path::new(path),
        })
    }

    /// The address of this position in the file.
    fn address(&self, position: u64) -> Option<u64> {
        let at = self.at.start + position.checked_sub(self.offset)?;
        self.at.contains(&at).then_some(at)
    }
}

/// Reads what a process has in its memory where it has mapped this position of the file: its data as they are now.
///
/// # Errors
/// It has not mapped it, has ended, or its memory may not be read.
pub(crate) fn read_mapped(
    pid: u32,
    path: &Path,
    position: u64,
    bytes: &mut [u8],
) -> io::Result<()> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut of_file = maps
        .lines()
        .filter_map(Mapping::parse)
        .filter(|mapping| mapping.path == path);
    let address = of_file.find_map(|mapping| mapping.address(position));
    let address = address.ok_or(io::ErrorKind::NotFound)?;
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(bytes, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps() {
        let line = "55d0a000-55d0c000 r-xp 00002000 fd:01 131 /usr/bin/a b";
        let found = Mapping::parse(line).unwrap();
        assert_eq!(
            (found.at.clone(), found.offset),
            (0x55d0_a000..0x55d0_c000, 0x2000)
        );
        assert!(found.is_executable && found.path == Path::new("/usr/bin/a b"));
        assert_eq!(found.address(0x2345), Some(0x55d0_a345));
        assert_eq!((found.address(0x1fff), found.address(0x4000)), (None, None));
        let data = line.replace("r-xp", "rw-p");
        assert!(!Mapping::parse(&data).unwrap().is_executable);
        assert_eq!(Mapping::parse("7ffd-7ffe rw-p 0 00:00 0"), None);
    }

    #[test]
    fn the_data_of_this_process() {
        let own = std::env::current_exe().unwrap();
        let mut magic = [0; 4];
        read_mapped(std::process::id(), &own, 0, &mut magic).unwrap();
        assert_eq!(&magic, b"\x7fELF");
        let error = read_mapped(std::process::id(), Path::new("/none"), 0, &mut magic);
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
