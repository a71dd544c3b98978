//! Which places of which files get breakpoints: made by tcprove once for a campaign, read by the supervisor of each server.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::binary::Block;
use crate::sys::memory_file;

/// The first bytes of a plan.
const MAGIC: u64 = 0x7463_7072_6f76_6531;
/// Bytes of a place: its position in the file, then the byte there.
const PLACE_BYTES: usize = 9;

/// A place of a breakpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its position in the file.
    pub(crate) offset: u64,
    /// The byte there.
    pub(crate) original: u8,
}

impl Place {
    /// The beginning of a block.
    pub(crate) fn of(block: &Block) -> Self {
        Self {
            offset: block.offset,
            original: block.original,
        }
    }
}

/// The places of all files, numbered throughout.
#[derive(Debug)]
pub(crate) struct TracePlan {
    file: File,
    /// Where the flags begin: one byte for each place.
    flags_at: u64,
    places: usize,
}

impl TracePlan {
    /// A plan for these files, each with its places in ascending order.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(crate) fn new(files: &[(PathBuf, Vec<Place>)]) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let mut number = |value: u64| bytes.extend_from_slice(&value.to_le_bytes());
        let places: usize = files.iter().map(|(_, places)| places.len()).sum();
        number(MAGIC);
        number(files.len() as u64);
        number(places as u64);
        for (path, of_file) in files {
            number(path.as_os_str().len() as u64);
            number(of_file.len() as u64);
        }
        for (path, _) in files {
            bytes.extend_from_slice(path.as_os_str().as_bytes());
        }
        for place in files.iter().flat_map(|(_, places)| places) {
            bytes.extend_from_slice(&place.offset.to_le_bytes());
            bytes.push(place.original);
        }
        let flags_at = bytes.len() as u64;
        bytes.resize(bytes.len() + places, 0);
        let mut file = memory_file("tcprove-places")?;
        file.write_all(&bytes)?;
        Ok(Self {
            file,
            flags_at,
            places,
        })
    }

    /// The number of places.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Leaves this place without a breakpoint in all servers that start from now on.
    pub(crate) fn leave_out(&self, place: u32) {
        if (place as usize) < self.places {
            // A failure costs a hit in every server.
            let _ = self
                .file
                .write_all_at(&[1], self.flags_at + u64::from(place));
        }
    }

    pub(super) fn file(&self) -> impl AsFd + std::os::fd::AsRawFd {
        self.file.as_fd()
    }
}

/// A plan as the supervisor reads it.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) files: Vec<PlacesOfFile>,
    /// Whether to leave out each place.
    pub(super) left_out: Vec<bool>,
}

/// The places of one file.
#[derive(Debug)]
pub(super) struct PlacesOfFile {
    pub(super) path: PathBuf,
    /// The number of the first one.
    pub(super) first: u32,
    pub(super) places: Vec<Place>,
}

impl Places {
    /// Reads a plan. `None` if it is not one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut number = || {
            let (eight, after) = rest.split_first_chunk()?;
            rest = after;
            usize::try_from(u64::from_le_bytes(*eight)).ok()
        };
        if number()? as u64 != MAGIC {
            return None;
        }
        let (files, places) = (number()?, number()?);
        let mut sizes = Vec::new();
        for _ in 0..files {
            sizes.push((number()?, number()?));
        }
        let mut paths = Vec::new();
        for (length, _) in &sizes {
            let (path, after) = rest.split_at_checked(*length)?;
            paths.push(PathBuf::from(std::ffi::OsStr::from_bytes(path)));
            rest = after;
        }
        let (all, flags) = rest.split_at_checked(places.checked_mul(PLACE_BYTES)?)?;
        let mut all = all.chunks_exact(PLACE_BYTES).map(|one| Place {
            offset: one
                .first_chunk()
                .map_or(0, |eight| u64::from_le_bytes(*eight)),
            original: one[PLACE_BYTES - 1],
        });
        let mut read = Places {
            left_out: flags.iter().map(|flag| *flag != 0).collect(),
            ..Self::default()
        };
        let mut first = 0;
        for (path, (_, count)) in paths.into_iter().zip(sizes) {
            let places: Vec<Place> = all.by_ref().take(count).collect();
            let next = first + u32::try_from(places.len()).ok()?;
            read.files.push(PlacesOfFile {
                path,
                first,
                places,
            });
            first = next;
        }
        (read.left_out.len() == first as usize).then_some(read)
    }

    /// The file with this path.
    pub(super) fn file(&self, path: &Path) -> Option<usize> {
        self.files.iter().position(|file| file.path == path)
    }

    /// The place with this number.
    pub(super) fn place(&self, number: u32) -> Option<(usize, Place)> {
        let after = self.files.partition_point(|file| file.first <= number);
        let index = after.checked_sub(1)?;
        let file = &self.files[index];
        let place = file.places.get((number - file.first) as usize)?;
        Some((index, *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let place = |offset, original| Place { offset, original };
        let files = [
            ("/a".into(), vec![place(4, 0x55), place(900, 0xf3)]),
            ("/b b".into(), vec![place(7, 1)]),
        ];
        let plan = TracePlan::new(&files).unwrap();
        plan.leave_out(1);
        plan.leave_out(77);
        let mut bytes = vec![0; plan.file.metadata().unwrap().len() as usize];
        plan.file.read_exact_at(&mut bytes, 0).unwrap();
        let places = Places::parse(&bytes).unwrap();
        assert_eq!(places.left_out, [false, true, false]);
        assert_eq!(places.file(Path::new("/b b")), Some(1));
        assert_eq!(places.file(Path::new("/c")), None);
        assert_eq!(places.place(1), Some((0, place(900, 0xf3))));
        assert_eq!(places.place(2), Some((1, place(7, 1))));
        assert_eq!(places.place(3), None);
        assert!(Places::parse(&bytes[..bytes.len() - 1]).is_none());
        assert!(Places::parse(b"").is_none());
    }
}
